package session

import (
	"time"

	"selvedge/wire"
)

// fresh is how old a log's last watermark may be for an answer to count as the
// present (rule 5).
const fresh = 3 * time.Second

// stale reports whether nothing was heard of a log for too long.
func (m *Manager) stale(p wire.LogID) bool {
	since := m.cfg.Upstream.Fresh(p)
	if since.IsZero() {
		since = m.bound
	}
	return time.Since(since) > fresh
}
