package million

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// slab is what a kind of the kernel's objects takes.
type slab struct {
	Objects int64 `json:"objects"` // room for so many
	Bytes   int64 `json:"bytes"`
}

// ofSocket reports whether a kind of objects is one that a watched TCP socket
// consists of. IPv6 has its own.
func ofSocket(name string) bool {
	switch name {
	case "TCP", "sock_inode_cache", "filp", "lsm_file_cache", "ep_head", "request_sock_TCP", "tw_sock_TCP":
		return true
	}
	if shared(name) || strings.HasSuffix(name, "v6") {
		return shared(name)
	}
	for _, prefix := range []string{"eventpoll_", "skbuff_", "tcp_bind", "kmalloc-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// shared reports whether a kind belongs to sockets and to files alike: each
// inode has one of them, and whoever looks into /proc makes some.
func shared(name string) bool { return name == "dentry" || name == "lsm_inode_cache" }

// grown is how much the objects of sockets grew, in bytes: by kind where these are
// known, else all of the kernel's objects.
func grown(before, after kernel) (n int64) {
	if after.Caches == nil {
		return after.Slab - before.Slab
	}
	for name := range after.Caches {
		n += grownKind(before, after, name)
	}
	return n
}

// grownKind is the part of one kind in it.
func grownKind(before, after kernel, name string) int64 {
	if !ofSocket(name) {
		return 0
	}
	is := after.Caches[name]
	bytes := is.Bytes - before.Caches[name].Bytes
	if shared(name) && is.Objects > 0 {
		inodes := after.Caches["sock_inode_cache"].Objects - before.Caches["sock_inode_cache"].Objects
		bytes = min(bytes, inodes*is.Bytes/is.Objects)
	}
	return bytes
}

// tables is what the tables of files and of pages grew by.
func tables(before, after kernel) int64 {
	return after.PageTables + after.Vmalloc - before.PageTables - before.Vmalloc
}

// sharing says which kinds of a socket's objects live together with others of the
// same size, under whose name they are listed: the kernel's slabs are merged.
func sharing() map[string]string {
	const folder = "/sys/kernel/slab"
	ours, out := map[string]string{}, map[string]string{}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	links := map[string]string{}
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(folder, e.Name())); err == nil {
			links[e.Name()] = to
			if ofSocket(e.Name()) {
				ours[to] = cmp.Or(ours[to], e.Name())
			}
		}
	}
	for name, to := range links {
		if !ofSocket(name) && ours[to] != "" {
			out[name] = ours[to]
		}
	}
	return out
}

// parseSlabs reads /proc/slabinfo, version 2.1: by name, or by the one that sharing
// gives to it. Lines that are none are left out.
func parseSlabs(text []byte, page int64, sharing map[string]string) map[string]slab {
	out := map[string]slab{}
	for line := range bytes.Lines(text) {
		// name, active objects, objects, size, objects per slab, pages per slab, :,
		// tunables, …, :, slabdata, active slabs, slabs, …
		fields := strings.Fields(string(line))
		if len(fields) < 16 || fields[6] != ":" || fields[11] != ":" {
			continue
		}
		objects, err0 := strconv.ParseInt(fields[2], 10, 64)
		pages, err1 := strconv.ParseInt(fields[5], 10, 64)
		slabs, err2 := strconv.ParseInt(fields[14], 10, 64)
		if err0 != nil || err1 != nil || err2 != nil {
			continue
		}
		name := cmp.Or(sharing[fields[0]], fields[0])
		s := out[name]
		out[name] = slab{s.Objects + objects, s.Bytes + pages*page*slabs}
	}
	return out
}
