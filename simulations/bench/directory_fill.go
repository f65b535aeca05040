package bench

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	corelog "selvedge/core/log"
	"selvedge/simulations/load"
	"selvedge/wire"
)

// fill writes the state log, or what a run before has not written of it.
func (d *directoryRun) fill(ctx context.Context, dir string) (err error) {
	store, err := corelog.Open(ctx, corelog.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	records := d.Users + d.Rooms + d.Memberships
	have := int(store.End(wire.StateLog))
	if have >= records {
		d.progress("the log has %d records already", have)
		d.res.note("the log was filled by another run: it ended at %d", have)
		return nil
	}
	d.progress("filling the log with %d records, after %d", records, have)
	began := time.Now()
	part := make([]corelog.StateAppend, 0, 8192)
	flush := func() error {
		for _, r := range store.AppendState(ctx, part) {
			if r.Err != nil {
				return r.Err
			}
		}
		part = part[:0]
		return nil
	}
	n := 0
	for r := range d.records() {
		if n++; n <= have { // it has the first ones, in this order
			continue
		}
		if part = append(part, corelog.StateAppend{Record: r}); len(part) == cap(part) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	d.res.show(fmt.Sprintf("the log takes %d records, each of another key", records-have), "1/s", float64(records-have)/time.Since(began).Seconds())
	return nil
}

// records are the documents, then the memberships: a user after the other joins a
// room, then each another one, so that neighbours in the log are none in the view.
func (d *directoryRun) records() iter.Seq[wire.StateRecord] {
	t := team{users: d.Users, rooms: d.Rooms}
	docs := make([]wire.Data, 1000) // as many different ones as needed
	return func(yield func(wire.StateRecord) bool) {
		for n := range d.Users {
			doc := docs[n%len(docs)]
			if doc == nil {
				doc = t.user(n)
				docs[n] = doc
			}
			if !yield(wire.StateRecord{Kind: wire.StateUser, User: wire.UserID(load.UserID(userPrefix, n)), Version: 1, Data: doc}) {
				return
			}
		}
		for n := range d.Rooms {
			if !yield(wire.StateRecord{Kind: wire.StateRoom, Room: roomID(n), Version: 1, Data: t.room(n)}) {
				return
			}
		}
		turns := (d.Memberships + d.Users - 1) / d.Users // of them a user has d.Rooms at most
		for n := range d.Memberships {
			user, turn := n%d.Users, n/d.Users
			room := (user*7919 + turn*(d.Rooms/turns)) % d.Rooms
			if !yield(wire.StateRecord{Kind: wire.StateMember, Room: roomID(room), User: wire.UserID(load.UserID(userPrefix, user)), From: 1}) {
				return
			}
		}
	}
}
