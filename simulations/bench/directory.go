package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"selvedge/core/client"
	"selvedge/internal/config"
	"selvedge/internal/identity"
	"selvedge/simulations/fleet"
	"selvedge/simulations/load"
	"selvedge/wire"
)

// DirectoryCommand is `selvedge bench directory`.
type DirectoryCommand struct {
	Users       int    `help:"Users, each with a document." default:"1000000"`
	Rooms       int    `help:"Rooms, each with a document." default:"100000"`
	Memberships int    `help:"Memberships of users in rooms." default:"10000000"`
	Bulk        int    `help:"Users who join one more room by one request, at most 100,000." default:"100000"`
	Sockets     int    `help:"Live sockets of the first of these." default:"300"`
	Data        string `help:"Folder for the data, kept afterwards and used again by the next run; a new temporary one if empty." placeholder:"DIR" type:"path"`
	Transport   string `help:"How the edge serves sockets." enum:"epoll,portable" default:"${transport}"`
	checks
	Quick bool   `help:"A small directory, for a look."`
	JSON  string `help:"Write the result to this file, too." placeholder:"FILE" name:"json"`
}

// Help teaches the command.
func (*DirectoryCommand) Help() string {
	return `How large a directory may be. The state log is filled without a core; then a core starts, and builds its view of it: rebuild.
It is stopped and started again, and killed and started again: resume. Then an edge has live sockets of some users, a room gets
100,000 members by one POST /v1/rooms/{id}/members, and when that is answered a message is published to the room: each of the
sockets must get it.

At its full size it takes half an hour on an idle machine, 3 GiB of memory and as much disk.

  selvedge bench directory
  selvedge bench directory --users 100000 --memberships 1000000`
}

// Run measures, and prints a table.
func (c *DirectoryCommand) Run(ctx context.Context, stdio *config.IO) error {
	res, err := c.measure(ctx, stdio)
	if err != nil {
		return fmt.Errorf("bench directory: %w", err)
	}
	return res.finish(stdio.Stdout, c.JSON)
}

// bulkSeconds is the goal of the request that makes so many join.
const bulkSeconds = 5

// directoryStart bounds a start of the core.
const directoryStart = time.Hour

func (c *DirectoryCommand) measure(ctx context.Context, stdio *config.IO) (*Result, error) {
	if c.Quick {
		c.Users, c.Rooms, c.Memberships = min(c.Users, 10_000), min(c.Rooms, 1000), min(c.Memberships, 100_000)
		c.Bulk = min(c.Bulk, 10_000)
	}
	if c.Users < 1 || c.Rooms < 1 || c.Memberships < 0 || c.Bulk < 1 || c.Bulk > 100_000 || c.Sockets < 1 || c.Sockets > c.Bulk || (c.Memberships+c.Users-1)/c.Users > c.Rooms {
		return nil, config.Usagef("every number must be positive, --bulk at most 100000 and at least --sockets, and a user can't be in more than --rooms")
	}
	d := &directoryRun{DirectoryCommand: c, rig: &rig{name: "bench directory", stderr: stdio.Stderr, checks: c.checks}, res: newResult("bench directory", c, c.Quick)}
	if err := d.end(d.run(ctx)); err != nil {
		return nil, err
	}
	return d.res, nil
}

// directoryRun is one run.
type directoryRun struct {
	*DirectoryCommand
	*rig

	res *Result
}

func (d *directoryRun) run(ctx context.Context) (err error) {
	if d.binary, err = os.Executable(); err != nil {
		return err
	}
	data := d.Data
	if data == "" {
		if d.temp, err = os.MkdirTemp("", "selvedge-bench-"); err != nil {
			return err
		}
		data = d.temp
	}
	if err := d.fill(ctx, data); err != nil {
		return err
	}
	view := filepath.Join(data, "directory")
	if err := os.RemoveAll(view); err != nil {
		return err
	}
	if err := d.starts(ctx, data); err != nil {
		return err
	}
	disk, err := folderSize(view)
	if err != nil {
		return err
	}
	all, err := folderSize(data)
	if err != nil {
		return err
	}
	const mib = 1 << 20
	d.res.show("disk: the view", "MiB", float64(disk)/mib)
	d.res.show("disk: the state log, and the empty frame logs", "MiB", float64(all-disk)/mib)
	return d.bulk(ctx)
}

// starts starts the core on the log without a view, with one, and with one whose
// end a kill has cost it.
func (d *directoryRun) starts(ctx context.Context, data string) error {
	records := float64(d.Users + d.Rooms + d.Memberships)
	for _, how := range []string{"built again from the log", "resumed after a stop", "resumed after a kill -9"} {
		d.progress("a core starts: its view is %s", how)
		began := time.Now()
		var err error
		if d.fleet == nil {
			d.fleet, err = fleet.Run(ctx, fleet.Config{Binary: d.binary, Data: data, Patience: directoryStart})
		} else {
			err = d.fleet.StartCore(ctx)
		}
		if err != nil {
			return err
		}
		took := time.Since(began)
		cpu, err := load.CPU(d.fleet.Core.PID())
		if err != nil {
			return err
		}
		memory, err := load.MemoryOf(d.fleet.Core.PID())
		if err != nil {
			return err
		}
		d.res.show("core starts, its view is "+how, "s", took.Seconds())
		d.res.show("  CPU", "s", cpu.Seconds())
		d.res.show("  resident memory of the core", "MiB", float64(memory.Resident)/(1<<20))
		switch how {
		case "built again from the log":
			d.res.show("  records", "1/s", records/took.Seconds())
			err = d.fleet.Core.Stop()
		case "resumed after a stop":
			if err = d.touch(ctx); err == nil {
				d.fleet.Core.Kill()
			}
		}
		if err != nil {
			return err
		}
	}
	d.api = &client.Client{BaseURL: d.fleet.Core.URL, Key: identity.DevAPIKey, Retries: -1}
	return nil
}

// touched is how many documents are written right before the kill: what the view
// has in memory only.
const touched = 10_000

func (d *directoryRun) touch(ctx context.Context) error {
	api := &client.Client{BaseURL: d.fleet.Core.URL, Key: identity.DevAPIKey}
	docs := map[wire.UserID]client.Document{}
	for n := range min(touched, d.Users) {
		docs[wire.UserID(load.UserID(userPrefix, n))] = client.Document{Data: wire.Data{0x80}}
	}
	_, err := api.PutUsers(ctx, docs)
	return err
}

// bulk has everybody join one room, and publishes to those of them who are live.
func (d *directoryRun) bulk(ctx context.Context) error {
	const small, room = "bulk-warm", "bulk"
	for _, id := range []wire.RoomID{small, room} { // of a run before
		if err := d.api.DeleteRoom(ctx, id); err != nil {
			return err
		}
	}
	d.progress("an edge with %d sockets", d.Sockets)
	if _, err := d.fleet.StartEdge(ctx, place, "--transport", d.Transport); err != nil {
		return err
	}
	if err := d.spawn(d.Sockets); err != nil {
		return err
	}
	if _, err := d.arrive(ctx, d.ours(0, d.Sockets, 50)); err != nil {
		return err
	}
	// The small one first, so that nothing is done for the first time.
	if _, _, err := d.gather(ctx, small, min(1000, d.Bulk)); err != nil {
		return err
	}
	if err := d.clients.Expect(ctx, ours, d.Sockets, 1); err != nil {
		return err
	}
	d.progress("%d users join a room", d.Bulk)
	took, used, err := d.gather(ctx, room, d.Bulk)
	if err != nil {
		return err
	}
	d.texts = load.Texts{Seed: 1, Size: 200}
	text, err := d.texts.Data(0)
	if err != nil {
		return err
	}
	sent := load.Now()
	if _, err := d.api.Publish(ctx, client.Message{Channel: wire.RoomChannel(room), From: load.From, Data: text}); err != nil {
		return err
	}
	got, err := d.clients.Await(ctx, ours, d.rig.Patience)
	if err != nil {
		return err
	}
	if !got.Complete {
		stats, err := d.clients.Stats(ctx, ours)
		return errors.Join(err, fmt.Errorf("%d of %d live sockets got the message that followed the join: %s", got.Frames, d.Sockets, &stats))
	}
	if err := d.faultless(ctx, d.Sockets, ours); err != nil {
		return err
	}
	d.res.show(fmt.Sprintf("%d users join a room by one request", d.Bulk), "s", took.Seconds()).atMost(bulkSeconds)
	d.res.show("  CPU of the core", "s", used.core.Seconds())
	d.res.show(fmt.Sprintf("  the next message at all of %d live sockets", d.Sockets), "ms", float64(got.Last-sent)/1e6)
	return nil
}

// gather makes a room, has the first n users join it by one request, and
// returns what that took.
func (d *directoryRun) gather(ctx context.Context, room wire.RoomID, n int) (took time.Duration, used usage, err error) {
	if _, err := d.api.PutRoom(ctx, room, client.Document{Data: wire.Data{0x80}}); err != nil {
		return 0, used, err
	}
	ids := make([]wire.UserID, n)
	for i := range ids {
		ids[i] = wire.UserID(load.UserID(userPrefix, i))
	}
	before, err := d.usage()
	if err != nil {
		return 0, used, err
	}
	began := time.Now()
	done, err := d.api.ChangeMembers(ctx, room, ids, nil)
	if err != nil {
		return 0, used, err
	}
	if done.Added != n || done.MemberCount != n || len(done.Failed) > 0 {
		return 0, used, fmt.Errorf("%d of %d users joined, the room has %d members, %d failed", done.Added, n, done.MemberCount, len(done.Failed))
	}
	took = time.Since(began)
	now, err := d.usage()
	return took, now.since(before), err
}

// folderSize is how many bytes the files of a folder have.
func folderSize(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
