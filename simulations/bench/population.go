package bench

import (
	"context"
	"fmt"
	"math/rand/v2"

	"golang.org/x/sync/errgroup"

	"selvedge/core/client"
	"selvedge/simulations/load"
	"selvedge/wire"
)

// userPrefix begins the users' ids.
const userPrefix = "u"

// populateAtOnce is how many rooms are filled at the same time.
const populateAtOnce = 8

// join makes a room with users, by their numbers, as its members.
func (r *rig) join(ctx context.Context, room wire.RoomID, users []int) error {
	name, err := wire.ParseJSON(fmt.Appendf(nil, `{"name":%q}`, "Room "+room))
	if err != nil {
		return err
	}
	if _, err := r.api.PutRoom(ctx, room, client.Document{Data: name}); err != nil {
		return err
	}
	ids := make([]wire.UserID, len(users))
	for i, n := range users {
		ids[i] = wire.UserID(load.UserID(userPrefix, n))
	}
	done, err := r.api.ChangeMembers(ctx, room, ids, nil)
	if err == nil && done.Added != len(users) {
		err = fmt.Errorf("%d of %d users joined room %s", done.Added, len(users), room)
	}
	return err
}

// populate makes rooms, and each of the first users a member of perUser of
// them, the same ones in every run.
func (r *rig) populate(ctx context.Context, users, rooms, perUser int) error {
	members := make([][]int, rooms)
	for u := range users {
		random := rand.New(rand.NewPCG(1, uint64(u)))
		in := map[int]bool{}
		for len(in) < min(perUser, rooms) {
			if room := random.IntN(rooms); !in[room] {
				in[room] = true
				members[room] = append(members[room], u)
			}
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(populateAtOnce)
	for i, in := range members {
		g.Go(func() error { return r.join(ctx, roomID(i), in) })
	}
	return g.Wait()
}

func roomID(i int) wire.RoomID { return wire.RoomID(fmt.Sprintf("bench-%d", i)) }

// numbers are 0 to n-1.
func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
