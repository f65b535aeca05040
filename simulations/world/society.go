package world

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	backend "selvedge/core/client"
	"selvedge/wire"
)

// Society is the state that changes beside a Load: documents of users and rooms,
// and who is in some further rooms; and clients that ask for it. All of it is held
// against what the state log said.
type Society struct {
	// Others are users without a client, and Rooms those whose members change.
	Others, Rooms int
	// Every is the mean time between two changes, and Asks that between two
	// questions of one client.
	Every, Asks time.Duration
	// Lull is how many times rarer changes are once the cores have lost their power, so
	// that what clients and edges keep of the lost ones can be seen; 0 = as before.
	Lull int
	// Age is how old an answer may be that is not said to be stale; 0 = age.
	Age time.Duration
	// Focus is how many of the clients have a focus, which changes. Members of the
	// Load's rooms must stay what they are then.
	Focus int
	// Least is how many answers must be checked of each kind.
	Least int
}

// watchedBy is how many documents each client watches, of users and of rooms.
const watchedBy = 3

// society does what a Society says.
type society struct {
	Society
	p     *people
	truth *witness
	users []wire.UserID

	mu       sync.Mutex
	seen     map[string]int // guarded by mu; answers that were checked, by kind
	hot      string         // guarded by mu; the document that was written last, or is being
	problems []string       // guarded by mu
	focusers []*focuser     // guarded by mu; that are done
}

func newSociety(p *people, cfg Society) *society {
	s := &society{Society: cfg, p: p, truth: p.w.truth, seen: map[string]int{}}
	for i := range p.load.Users {
		s.users = append(s.users, wire.UserID(fmt.Sprintf("u%d", i)))
	}
	for i := range cfg.Others {
		s.users = append(s.users, wire.UserID(fmt.Sprintf("x%d", i)))
	}
	return s
}

func socialRoom(i int) wire.RoomID { return wire.RoomID(fmt.Sprintf("s%d", i)) }

// broken notes a promise that is.
func (s *society) broken(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, fmt.Sprintf("at %v: ", s.p.w.Net.Since())+fmt.Sprintf(format, args...))
}

// settle makes the rooms and some documents.
func (s *society) settle(ctx context.Context) error {
	r := s.p.dice("society", 0)
	for i := range s.Rooms {
		id := socialRoom(i)
		if err := s.p.w.API.PutRoom(ctx, id); err != nil {
			return err
		}
		var members []wire.UserID
		for _, u := range s.users {
			if r.IntN(3) == 0 {
				members = append(members, u)
			}
		}
		if err := s.p.w.API.ChangeMembers(ctx, 0, id, members, nil); err != nil {
			return err
		}
	}
	for _, u := range s.users {
		if err := s.writeUser(ctx, r, u, 0); err != nil {
			return err
		}
	}
	return nil
}

// live has the state change, clients ask, and some change their focus, until ctx
// ends.
func (s *society) live(ctx context.Context, said *answers) {
	var wg sync.WaitGroup
	wg.Go(func() {
		r := s.p.dice("changes", 0)
		for pause(ctx, r, s.Every*s.slower()) {
			own := rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
			wg.Go(func() { s.change(ctx, own) })
		}
	})
	for i, c := range s.p.w.Clients {
		a := &asker{s: s, c: c, said: said, r: s.p.dice("asks", i)}
		wg.Go(func() {
			a.watch(ctx)
			for pause(ctx, a.r, s.Asks) {
				a.ask(ctx)
			}
		})
		if i < s.Focus {
			f := &focuser{s: s, c: c, r: s.p.dice("focus", i)}
			wg.Go(func() { f.live(ctx) })
		}
	}
	wg.Wait()
}

// slower is how many times rarer changes are now.
func (s *society) slower() time.Duration {
	if s.p.w.powerLost() == 0 {
		return 1
	}
	return time.Duration(max(s.Lull, 1))
}

// change changes something, by some core. Whether that was done, the witness
// knows.
func (s *society) change(ctx context.Context, r *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tryTime)
	defer cancel()
	api := s.p.w.API.cores
	at := r.IntN(len(api))
	room, user := socialRoom(r.IntN(s.Rooms)), s.users[r.IntN(len(s.users))]
	switch r.IntN(6) {
	case 0, 1:
		for range 3 { // so that what is read in between is soon old
			_ = s.writeUser(ctx, r, user, at)
			<-time.After(drawn(r, 100*time.Millisecond))
		}
	case 2:
		_, _ = api[at].PutRoom(ctx, room, backend.Document{Data: titled(r)})
	case 3:
		_, _ = api[at].PatchRoom(ctx, room, backend.Document{Data: titled(r)})
	case 4:
		_, _ = api[at].ChangeMembers(ctx, room, []wire.UserID{user}, nil)
	case 5:
		_, _ = api[at].ChangeMembers(ctx, room, nil, []wire.UserID{user})
	}
}

func (s *society) writeUser(ctx context.Context, r *rand.Rand, user wire.UserID, at int) (err error) {
	s.mu.Lock()
	s.hot = "user:" + string(user)
	s.mu.Unlock()
	api := s.p.w.API.cores[at]
	switch what := r.IntN(5); {
	case what == 0 && user[0] == 'x': // who is deleted leaves all rooms
		err = api.DeleteUser(ctx, user)
	case what < 3:
		_, err = api.PatchUser(ctx, user, backend.Document{Data: titled(r)})
	default:
		_, err = api.PutUser(ctx, user, backend.Document{Data: titled(r)})
	}
	if backend.IsCode(err, wire.NotFound) {
		return nil
	}
	return err
}

// names are what users and rooms are called; a prefix finds some.
var names = []string{"Ana", "Anatol Berg", "Berta Ana", "Bo", "Carla Bo", "Ander"}

// titled is a document with a name, and a number that nearly no other one has.
func titled(r *rand.Rand) wire.Data {
	d, err := wire.ParseJSON(fmt.Appendf(nil, `{"name":%q,"n":%d}`, names[r.IntN(len(names))], r.Uint32()))
	if err != nil {
		return emptyMap // it is JSON
	}
	return d
}

// report tells what was checked, and what was wrong.
func (s *society) report(report *Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	report.Measured = append(report.Measured, fmt.Sprintf("%d state records; answers checked: %v", s.truth.heard(), s.seen))
	report.Problems = append(report.Problems, s.problems...)
	for _, kind := range []string{"get", "members", "search", "rooms", "history"} {
		if s.seen[kind] < s.Least {
			report.Problems = append(report.Problems, fmt.Sprintf("only %d answers to %s were checked: %d prove something", s.seen[kind], kind, s.Least))
		}
	}
	slices.Sort(report.Problems)
}
