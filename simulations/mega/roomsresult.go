package mega

import "time"

// RoomsResult is what one room saved against a channel for each of its members.
type RoomsResult struct {
	Sockets      int   `json:"sockets"`
	Edges        int   `json:"edges"`
	Members      int   `json:"members"`
	MessageBytes int   `json:"message_bytes"`
	Rows         []Row `json:"rows"`
}

// Row is one way of telling everybody one thing.
type Row struct {
	Way      string `json:"way"` // "room" or "personal"
	How      string `json:"how"`
	Channels int    `json:"channels"`
	// Published is how many of these were published to; of fewer than all, Whole
	// is extrapolated.
	Published    int  `json:"published"`
	Extrapolated bool `json:"extrapolated"`

	Handler float64 `json:"handler_ms"` // how long the caller is busy: to its last acknowledgement
	Whole   float64 `json:"handler_whole_ms"`
	Last    float64 `json:"last_ms"` // to the last of the receipts, at the sockets that are connected

	Receipts int64 `json:"receipts"`
	Lost     int64 `json:"lost"` // a run that loses something has no result
	Doubled  int64 `json:"doubled"`

	CallerCPU float64 `json:"caller_cpu_ms"` // as all CPU: without what an idle fleet takes
	CoreCPU   float64 `json:"core_cpu_ms"`
	EdgeCPU   float64 `json:"edge_cpu_ms"`
	Stored    float64 `json:"stored_bytes"` // by which the core's logs grew
	LinkBytes float64 `json:"link_bytes"`   // out of the core
}

// used notes what n of them took.
func (row *Row) used(w work, n float64) {
	part := func(d time.Duration) float64 { return max(millis(d)/n, 0) }
	row.CallerCPU, row.CoreCPU, row.EdgeCPU = part(w.cpu.caller), part(w.cpu.core), part(w.cpu.edges)
	row.LinkBytes = max(w.bytes/n, 0)
}
