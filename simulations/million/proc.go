package million

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// kernel is what the kernel says of its own memory, in bytes.
type kernel struct {
	Available   int64 `json:"available"`    // MemAvailable: what new processes may have without swapping
	Slab        int64 `json:"slab"`         // the kernel's objects: sockets, files, epoll's, data in buffers
	PageTables  int64 `json:"page_tables"`  // of all processes
	Vmalloc     int64 `json:"vmalloc"`      // large tables, such as those of open files
	SocketPages int64 `json:"socket_pages"` // what TCP says that its buffers take; most of it is within Slab
	// Caches are the kinds of objects by name; empty unless this is root.
	Caches map[string]slab `json:"caches,omitempty"`
}

// readKernel reads it. The caches need root, and are empty without.
func readKernel() (k kernel, err error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return k, err
	}
	for name, to := range map[string]*int64{
		"MemAvailable": &k.Available, "Slab": &k.Slab, "PageTables": &k.PageTables, "VmallocUsed": &k.Vmalloc,
	} {
		if *to, err = kibOf(text, name); err != nil {
			return k, err
		}
	}
	if text, err = os.ReadFile("/proc/net/sockstat"); err != nil {
		return k, err
	}
	_, pages, err := parseSockstat(text)
	if err != nil {
		return k, err
	}
	k.SocketPages = pages * int64(os.Getpagesize())
	if text, err := os.ReadFile("/proc/slabinfo"); err == nil {
		k.Caches = parseSlabs(text, int64(os.Getpagesize()), sharing())
	}
	return k, nil
}

// sockets is how many TCP sockets this network has open, both ends counted.
func sockets() (int64, error) {
	text, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return 0, err
	}
	n, _, err := parseSockstat(text)
	return n, err
}

// kibOf is a field of /proc/meminfo, in bytes.
func kibOf(text []byte, name string) (int64, error) {
	for line := range bytes.Lines(text) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		if string(key) != name {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(string(value)), " kB"), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("meminfo: %s: %w", name, err)
		}
		return kib << 10, nil
	}
	return 0, fmt.Errorf("meminfo: there is no %s", name)
}

// parseSockstat reads /proc/net/sockstat: TCP sockets in use, and pages of their
// buffers.
func parseSockstat(text []byte) (inUse, pages int64, err error) {
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		if len(fields) == 0 || fields[0] != "TCP:" {
			continue
		}
		values := map[string]int64{}
		for i := 1; i+1 < len(fields); i += 2 {
			if values[fields[i]], err = strconv.ParseInt(fields[i+1], 10, 64); err != nil {
				return 0, 0, fmt.Errorf("sockstat: %w", err)
			}
		}
		return values["inuse"], values["mem"], nil
	}
	return 0, 0, fmt.Errorf("sockstat: there is no TCP")
}
