package log

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// members are the three cores of a cluster. Who they are is fixed by the first
// start; their addresses may change, and the last ones known are kept in the
// folder, so that a core starts while gossip knows nobody.
type members struct {
	Self   string            `json:"self"`
	Others map[string]string `json:"others"` // address by name

	dir               string
	bound, advertised string // of this core
}

const (
	membersFile = "cluster.json"
	others      = 2
	// doubtLimit is how long a core in doubt waits for the other two to be whole.
	doubtLimit = time.Minute
)

// readMembers is nil if dir has none yet.
func readMembers(dir string) (*members, error) {
	b, err := os.ReadFile(filepath.Join(dir, membersFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, folderError(dir, "read", err)
	}
	m := &members{dir: dir}
	if err := json.Unmarshal(b, m); err != nil || m.Self == "" || len(m.Others) != others {
		return nil, fmt.Errorf("%w %s has a damaged %s: empty the folder, and the other cores fill it again", ErrFolder, dir, membersFile)
	}
	return m, nil
}

func (m *members) write() error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", membersFile, err)
	}
	return writeFile(m.dir, membersFile, b)
}

// names are all three.
func (m *members) names() []string {
	return slices.Sorted(maps.Keys(m.addrs()))
}

func (m *members) addrs() map[string]string {
	all := maps.Clone(m.Others)
	all[m.Self] = m.advertised
	return all
}

// routes are the addresses of the others, as the server wants them: in order,
// since it sorts them while it uses them.
func (m *members) routes() ([]*url.URL, error) {
	var urls []*url.URL
	for name, addr := range m.Others {
		u, err := url.Parse("nats-route://" + addr)
		if err != nil {
			return nil, fmt.Errorf("address of core %s: %w", name, err)
		}
		urls = append(urls, u)
	}
	slices.SortFunc(urls, func(a, b *url.URL) int { return strings.Compare(a.String(), b.String()) })
	return urls, nil
}

// update takes new addresses, and reports whether there are some.
func (m *members) update(peers []Peer) bool {
	changed := false
	for _, p := range peers {
		if was, ok := m.Others[p.Name]; ok && p.Addr != "" && was != p.Addr {
			m.Others[p.Name] = p.Addr
			changed = true
		}
	}
	return changed
}

// only are the peers that are members.
func (m *members) only(peers []Peer) []Peer {
	return slices.DeleteFunc(slices.Clone(peers), func(p Peer) bool {
		_, ok := m.Others[p.Name]
		return !ok
	})
}

// whole reports whether both others have everything that was acknowledged.
func whole(peers []Peer) bool {
	return len(peers) == others && !slices.ContainsFunc(peers, func(p Peer) bool { return !p.Ready || p.Doubt != "" })
}

// gather makes this core known to the others, and returns when it may start its
// server: when it knows the other two, and, if it is in doubt, as shared.go says.
// risky says that it starts although it is in doubt and the others aren't whole.
func (s *Store) gather(ctx context.Context, m *members, doubt string) (_ *members, risky bool, err error) {
	c := s.cfg.Cluster
	bound, advertised, err := c.bind()
	if err != nil {
		return nil, false, err
	}
	if m != nil && m.Self != c.Name {
		return nil, false, fmt.Errorf("%w: %s is the folder of core %q, and this one is %q: give it its name, or another --data", ErrSettings, s.cfg.Dir, m.Self, c.Name)
	}
	changed, stop := c.Peers.Watch()
	defer stop()
	if err := c.Peers.Announce(Peer{Name: c.Name, Addr: advertised, Doubt: doubt}); err != nil {
		return nil, false, err
	}
	if m != nil {
		m.bound, m.advertised = bound, advertised
	}
	patience := time.NewTimer(doubtLimit)
	defer patience.Stop()
	told := false
	for {
		peers := c.Peers.Peers()
		if m == nil {
			if m, err = s.found(peers, bound, advertised); err != nil {
				return nil, false, err
			}
		}
		if m != nil {
			m.update(peers)
			peers = m.only(peers)
			switch {
			case doubt == "" || whole(peers):
				return m, false, m.write()
			case slices.ContainsFunc(peers, func(p Peer) bool { return p.Doubt != "" }):
				return m, true, m.write()
			}
		}
		what := fmt.Sprintf("waiting for the other cores: %d of %d known", len(peers), others)
		if doubt != "" {
			what += ", and this one's copy of the logs may lack a part"
		}
		s.cfg.Waiting(what)
		if !told {
			told = true
			s.log.InfoContext(ctx, "waiting for the other cores' logs", "log", advertised, "known", len(peers), "in_doubt", doubt != "")
		}
		select {
		case <-changed:
		case <-patience.C:
			if m != nil {
				return m, true, m.write()
			}
		case <-ctx.Done():
			return nil, false, unavailable(ctx.Err())
		}
	}
}

// found is who the cluster consists of, nil while that isn't known.
func (s *Store) found(peers []Peer, bound, advertised string) (*members, error) {
	if len(peers) < others {
		return nil, nil
	}
	m := &members{Self: s.cfg.Cluster.Name, Others: map[string]string{}, dir: s.cfg.Dir, bound: bound, advertised: advertised}
	m.Others = map[string]string{}
	for _, p := range peers {
		m.Others[p.Name] = p.Addr
	}
	if len(m.Others) > others {
		return nil, fmt.Errorf("%w: gossip knows %d other cores with --replicas 3 (%q), and a cluster has three in all: stop this one", ErrSettings, len(m.Others), slices.Sorted(maps.Keys(m.Others)))
	}
	return m, nil
}
