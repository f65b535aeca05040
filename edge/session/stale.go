package session

import (
	"time"

	"selvedge/wire"
)

// fresh is how old a log's last watermark may be for an answer to count as the
// present (rule 5).
const fresh = 3 * time.Second

// heard is when a log's last watermark had come. What is read after that was looked at
// is no older than the watermark; it may be, than one that comes in between. So it is
// taken before an answer is put together, also by the core, and judged afterwards.
type heard struct{ at time.Time }

// heard looks at a log.
func (m *Manager) heard(p wire.LogID) heard {
	at := m.cfg.Upstream.Fresh(p)
	if at.IsZero() {
		at = m.bound
	}
	return heard{at}
}

// stale reports whether that is too long ago.
func (h heard) stale() bool { return time.Since(h.at) > fresh }

// stale reports whether nothing was heard of a log for too long.
func (m *Manager) stale(p wire.LogID) bool { return m.heard(p).stale() }
