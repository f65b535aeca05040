package client

import (
	"context"
	"fmt"
	"io"
	"sync"

	"selvedge/wire"
)

// maxRooms bounds the rooms of a stream that the core is asked for.
const maxRooms = 4096

// warner asks the core which rooms of a stream exist, beside the publishing.
type warner struct {
	seen  map[wire.Channel]struct{} // owned by the reader
	rooms chan wire.RoomID          // never full: at most maxRooms are seen; closed by the reader
	done  sync.WaitGroup
}

// startWarner begins to ask, until ctx ends or the reader is at its end.
func startWarner(ctx context.Context, client *Client, out io.Writer) *warner {
	w := &warner{seen: make(map[wire.Channel]struct{}), rooms: make(chan wire.RoomID, maxRooms)}
	w.done.Go(func() {
		for {
			select {
			case room, ok := <-w.rooms:
				if !ok {
					return
				}
				warnUnknown(ctx, client, out, room)
			case <-ctx.Done():
				return
			}
		}
	})
	return w
}

// see takes note of a channel. Only the reader calls it.
func (w *warner) see(ch wire.Channel) {
	room, ok := ch.Room()
	if !ok || len(w.seen) >= maxRooms {
		return
	}
	if _, again := w.seen[ch]; !again {
		w.seen[ch] = struct{}{}
		w.rooms <- room
	}
}

// wait returns when everything was asked.
func (w *warner) wait() { w.done.Wait() }

// warnUnknown says that a room doesn't exist. If that can't be found out, it is
// silent: the publish itself tells of what is wrong.
func warnUnknown(ctx context.Context, client *Client, stderr io.Writer, room wire.RoomID) {
	if _, err := client.GetRoom(ctx, room); IsCode(err, wire.NotFound) {
		_, _ = fmt.Fprintf(stderr, "selvedge: publish: there is no room %q: what is published to it reaches nobody\n", room)
	}
}
