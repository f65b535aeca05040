package million

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"selvedge/core/client"
	"selvedge/simulations/load"
	"selvedge/wire"
)

const (
	// allRoom is the room of all.
	allRoom = wire.RoomID("all")
	// joinAtOnce is how many a call joins: the most that the API takes.
	joinAtOnce = 100_000
	// docsAtOnce is how many documents a call writes, and fillAtOnce how many rooms
	// are filled at the same time.
	docsAtOnce, fillAtOnce = 10_000, 8
)

func teamRoom(n int) wire.RoomID { return wire.RoomID(fmt.Sprintf("team-%d", n)) }

// fill makes the rooms, and everyone a member of two.
func (r *rig) fill(ctx context.Context) error {
	s := r.scenario
	r.progress("making %d rooms with %d memberships", 1+s.teams(), 2*s.Sockets)
	start := time.Now()
	if err := r.makeRooms(ctx); err != nil {
		return err
	}
	for first := 0; first < s.Sockets; first += joinAtOnce {
		ids := make([]wire.UserID, 0, joinAtOnce)
		for n := first; n < min(first+joinAtOnce, s.Sockets); n++ {
			ids = append(ids, wire.UserID(load.UserID(userPrefix, n)))
		}
		if err := r.join(ctx, allRoom, ids); err != nil {
			return err
		}
		r.progress("%d are in the room of all", first+len(ids))
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(fillAtOnce)
	for team := range s.teams() {
		g.Go(func() error {
			var ids []wire.UserID
			for n := team; n < s.Sockets; n += s.teams() {
				ids = append(ids, wire.UserID(load.UserID(userPrefix, n)))
			}
			return r.join(ctx, teamRoom(team), ids)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	r.out.Memberships, r.out.Details.Filled = 2*s.Sockets, time.Since(start).Seconds()
	return nil
}

func (r *rig) makeRooms(ctx context.Context) error {
	docs := map[wire.RoomID]client.Document{}
	flush := func() error {
		written, err := r.api.PutRooms(ctx, docs)
		if err == nil && len(written) != len(docs) {
			err = fmt.Errorf("%d of %d rooms were made", len(written), len(docs))
		}
		clear(docs)
		return err
	}
	for n := -1; n < r.scenario.teams(); n++ {
		room := allRoom
		if n >= 0 {
			room = teamRoom(n)
		}
		doc, err := wire.ParseJSON(fmt.Appendf(nil, `{"name":%q}`, "Room "+room))
		if err != nil {
			return err
		}
		if docs[room] = (client.Document{Data: doc}); len(docs) == docsAtOnce {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// joinTries is how often those are tried whom a log that is too busy did not take.
const joinTries = 10

// join makes users members. A call that is made again, because its answer came too
// late, finds some of them there.
func (r *rig) join(ctx context.Context, room wire.RoomID, ids []wire.UserID) error {
	for try := 1; ; try++ {
		done, err := r.api.ChangeMembers(ctx, room, ids, nil)
		if err != nil || len(done.Failed) == 0 {
			return err
		}
		if try == joinTries {
			return fmt.Errorf("%d of %d users didn't join room %s: %+v", len(done.Failed), len(ids), room, done.Failed[0])
		}
		ids = make([]wire.UserID, 0, len(done.Failed))
		for _, f := range done.Failed {
			ids = append(ids, wire.UserID(f.ID))
		}
		if err := wait(ctx, time.Second); err != nil {
			return err
		}
	}
}

// disk is what the core's folder takes, in bytes.
func (r *rig) disk() (bytes int64) {
	_ = filepath.WalkDir(r.fleet.Data(), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // files come and go while one looks
		}
		if info, err := d.Info(); err == nil {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}
