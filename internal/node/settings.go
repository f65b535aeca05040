package node

import (
	"io"
	"log/slog"

	"selvedge/topology/gossip"
	"selvedge/topology/region"
)

// Settings are what the flags say, checked, and the keys that they name.
type Settings struct {
	Name   string // as in the node's certificate
	Region region.Region
	Keys   Keys
	Seeds  []string // gossip addresses
	Gossip gossip.Timing
	Logger *slog.Logger // to the writer given; it names the node
}

// Settings checks the flags of a node in a role. It completes the addresses to bind,
// see Bind; a node that has no name gets it by the port of the first.
func (f *Flags) Settings(role string, logs io.Writer, addrs ...Listen) (s Settings, err error) {
	if s.Logger, err = f.Logger(logs); err != nil {
		return s, err
	}
	if s.Region, err = f.Place(); err != nil {
		return s, err
	}
	if err := f.Bind(addrs...); err != nil {
		return s, err
	}
	if s.Seeds, err = f.Seeds(); err != nil {
		return s, err
	}
	if s.Gossip, err = f.GossipTiming(); err != nil {
		return s, err
	}
	name := f.NodeName(role, *addrs[0].Addr)
	if s.Keys, err = f.Keys(role, name, s.Logger); err != nil {
		return s, err
	}
	s.Name = s.Keys.Identity.Name()
	s.Logger = s.Logger.With("node", s.Name)
	return s, nil
}
