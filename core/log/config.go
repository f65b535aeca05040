package log

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"selvedge/wire"
)

// Sync is what an acknowledged record survives.
type Sync string

// The settings of Sync.
const (
	// SyncDefault: a killed process. After a power loss, the epoch changes.
	SyncDefault Sync = "default"
	// SyncAlways: a power loss, at about half a millisecond per append.
	SyncAlways Sync = "always"
)

// Config says how logs are kept. Its zero value, with a Dir, is usable.
type Config struct {
	Dir         string        // data folder, made if absent; one core has it at a time
	Logs        int           // P, fixed by the first start; 0 = what the folder has, 16 in a new one
	Sync        Sync          // "" = SyncDefault
	MaxAge      time.Duration // frames older than this are dropped; 0 = 7 days
	MaxBytes    int64         // the oldest frames of a frame log above this are dropped; 0 = 16 GiB
	DedupWindow time.Duration // how long idempotency ids are remembered; 0 = 2 minutes, at most 24 hours
	BootID      func() string // identity of the system's boot, "" = unknown; nil = Linux's
	Logger      *slog.Logger  // nil = none
	// Waiting is called by Open when it waits for something, with what that is, in
	// a few words; nil = not.
	Waiting func(what string)

	// Replicas is how many copies of each log there are: 1, or 3, which is three
	// cores that form a cluster, or as many servers of an external NATS. 0 = 1.
	Replicas int
	// Cluster is how this core is one of three; needed for 3 embedded replicas.
	Cluster *Cluster
	// Servers are URLs (nats://, tls://) of an external NATS that has the logs;
	// none = they are embedded. Dir has only what this core knows of them then.
	Servers []string
	// Credentials is a file of NATS credentials for Servers; "" = none.
	Credentials string
}

// kind is where the logs are. A folder is of one kind for good.
type kind string

const (
	kindSingle   kind = "embedded"
	kindCluster  kind = "cluster"
	kindExternal kind = "external"
)

func (c *Config) kind() kind {
	switch {
	case len(c.Servers) > 0:
		return kindExternal
	case c.Replicas > 1:
		return kindCluster
	}
	return kindSingle
}

const (
	defaultLogs     = 16
	defaultMaxAge   = 7 * 24 * time.Hour
	defaultMaxBytes = 16 << 30
	defaultDedup    = 2 * time.Minute
	maxDedup        = 24 * time.Hour
)

// check fills in the defaults and reports the first setting that can't be.
func (c *Config) check() error {
	if c.Dir == "" {
		return fmt.Errorf("%w is missing: name one with --data", ErrFolder)
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return fmt.Errorf("%w %s: %w", ErrFolder, c.Dir, err)
	}
	c.Dir = dir
	if c.Sync == "" {
		c.Sync = SyncDefault
	}
	c.MaxAge = or(c.MaxAge, defaultMaxAge)
	c.MaxBytes = or(c.MaxBytes, defaultMaxBytes)
	c.DedupWindow = or(c.DedupWindow, min(defaultDedup, c.MaxAge))
	c.Replicas = or(c.Replicas, 1)
	if c.BootID == nil {
		c.BootID = linuxBootID
	}
	if c.Waiting == nil {
		c.Waiting = func(string) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Logs < 0 || c.Logs > wire.MaxLogs:
		return fmt.Errorf("logs is %d: use 1 to %d", c.Logs, wire.MaxLogs)
	case c.Sync != SyncDefault && c.Sync != SyncAlways:
		return fmt.Errorf("sync is %q: use %q or %q", c.Sync, SyncDefault, SyncAlways)
	case c.Replicas != 1 && c.Replicas != 3:
		return fmt.Errorf("replicas is %d: use 1 or 3", c.Replicas)
	case c.kind() == kindCluster && (c.Cluster == nil || c.Cluster.Peers == nil || c.Cluster.Identity == nil || c.Cluster.Name == ""):
		return fmt.Errorf("%w: 3 embedded replicas need a name, an identity and a way to find the other cores", ErrSettings)
	case c.MaxAge < minAge:
		return fmt.Errorf("the age limit of logs is %v: use at least %v", c.MaxAge, minAge)
	case c.MaxBytes < 0:
		return fmt.Errorf("the size limit of logs is %d bytes: use a positive number", c.MaxBytes)
	case c.DedupWindow < minAge || c.DedupWindow > min(maxDedup, c.MaxAge):
		return fmt.Errorf("the idempotency window is %v: use %v to %v", c.DedupWindow, minAge, min(maxDedup, c.MaxAge))
	}
	return nil
}

// minAge is the shortest age and window that the engine takes.
const minAge = 100 * time.Millisecond

func or[T comparable](v, zero T) T {
	var none T
	if v == none {
		return zero
	}
	return v
}

func linuxBootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "" // not Linux: an unclean stop then always changes the epoch
	}
	return strings.TrimSpace(string(b))
}
