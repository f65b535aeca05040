package linktest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"selvedge/wire"
	"selvedge/wire/link"
	"selvedge/wire/tail"
)

// Memory is a link.Source that keeps its logs in memory: all records, beside
// tails that may be tiny. It is the plain model of a source: what it does is
// meant to be seen right by reading. Safe for concurrent use.
type Memory struct {
	link.Whole

	// Ask, if not nil, answers queries other than fills; set it before use.
	Ask func(ctx context.Context, node string, q *wire.Query, applied wire.Seq) *wire.Answer

	epoch string
	logs  int
	tails map[wire.LogID]*tail.Tail // fixed by NewMemory

	mu      sync.Mutex
	records map[wire.LogID][]tail.Record // guarded by mu; those after the floor
	gone    map[wire.LogID][]tail.Record // guarded by mu; those up to the floor
	floors  map[wire.LogID]wire.Seq      // guarded by mu
	last    map[wire.Key]wire.Seq        // guarded by mu
	signals []wire.Signal                // guarded by mu; that downstreams sent
}

// NewMemory is a source of empty logs and a state log, whose tails hold
// tailBytes each.
func NewMemory(logs, tailBytes int) *Memory {
	m := &Memory{
		epoch: "memory", logs: logs, tails: map[wire.LogID]*tail.Tail{},
		records: map[wire.LogID][]tail.Record{}, gone: map[wire.LogID][]tail.Record{},
		floors: map[wire.LogID]wire.Seq{}, last: map[wire.Key]wire.Seq{},
	}
	for p := range logs {
		m.tails[wire.LogID(p)] = tail.New(tailBytes, 0)
	}
	m.tails[wire.StateLog] = tail.New(tailBytes, 0)
	return m
}

// Publish appends a frame of ch, with data of about size bytes.
func (m *Memory) Publish(ch wire.Channel, size int) (wire.LogID, wire.Seq) {
	p := wire.LogOf(ch, m.logs)
	body := wire.AppendBody(nil, &wire.Post{Ch: ch, TS: 1, Data: append(wire.Data{0xda, byte(size >> 8), byte(size)}, make([]byte, size)...)})
	m.mu.Lock()
	defer m.mu.Unlock()
	k := wire.FramesKey(ch)
	seq := m.tails[p].End() + 1
	m.appendLocked(p, tail.Record{Seq: seq, Kind: tail.Frame, Keys: [2]wire.Key{k}, Bytes: wire.AppendFrame(nil, p, seq, m.last[k], body)})
	return p, seq
}

// Record appends a record of any kind and content that meets key.
func (m *Memory) Record(p wire.LogID, kind tail.Kind, key wire.Key, bytes []byte) wire.Seq {
	m.mu.Lock()
	defer m.mu.Unlock()
	seq := m.tails[p].End() + 1
	m.appendLocked(p, tail.Record{Seq: seq, Kind: kind, Keys: [2]wire.Key{0, key}, Bytes: bytes})
	return seq
}

func (m *Memory) appendLocked(p wire.LogID, r tail.Record) {
	m.records[p] = append(m.records[p], r)
	for _, k := range r.Keys {
		m.last[k] = r.Seq
	}
	m.tails[p].Append(r)
}

// Stamp appends a watermark to log p.
func (m *Memory) Stamp(p wire.LogID) {
	t := m.tails[p]
	t.Append(link.StampWatermark(t.End(), 0, time.Now()))
}

// Trim lets the records of log p up to floor go.
func (m *Memory) Trim(p wire.LogID, floor wire.Seq) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.floors[p] = floor
	n := 0
	for n < len(m.records[p]) && m.records[p][n].Seq <= floor {
		n++
	}
	m.gone[p], m.records[p] = append(m.gone[p], m.records[p][:n]...), m.records[p][n:]
}

// lastGoneLocked is the last record of k in (after, upto] that was let go, 0 if
// there is none.
func (m *Memory) lastGoneLocked(p wire.LogID, k wire.Key, after, upto wire.Seq) (last wire.Seq) {
	for _, r := range m.gone[p] {
		if r.Seq > after && r.Seq <= upto && slices.Contains(r.Keys[:], k) {
			last = r.Seq
		}
	}
	return last
}

// Signals are those that downstreams sent so far.
func (m *Memory) Signals() []wire.Signal {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.signals)
}

// Epoch implements link.Source.
func (m *Memory) Epoch() string { return m.epoch }

// Logs implements link.Source.
func (m *Memory) Logs() int { return m.logs }

// Tail implements link.Source.
func (m *Memory) Tail(p wire.LogID) *tail.Tail { return m.tails[p] }

// End implements link.Source.
func (m *Memory) End(p wire.LogID) wire.Seq {
	if t := m.tails[p]; t != nil {
		return t.End()
	}
	return 0
}

// memoryBatch is how many records one Read looks at.
const memoryBatch = 7

// Read implements link.Source.
func (m *Memory) Read(_ context.Context, p wire.LogID, after wire.Seq, want func([2]wire.Key) bool) (records []tail.Record, upto, floor wire.Seq, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	looked := 0
	upto = max(after, m.floors[p])
	for _, r := range m.records[p] {
		if r.Seq <= after {
			continue
		}
		if looked++; looked > memoryBatch {
			break
		}
		upto = r.Seq
		if want(r.Keys) {
			records = append(records, r)
		}
	}
	return records, upto, m.floors[p], nil
}

// Moved implements link.Source.
func (m *Memory) Moved(dst []wire.Key, p wire.LogID, keys []wire.Key, since wire.Seq) []wire.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range keys {
		if m.last[k] > since {
			dst = append(dst, k)
		}
	}
	return dst
}

// Lost implements link.Source.
func (m *Memory) Lost(dst []wire.Key, p wire.LogID, keys map[wire.Key]struct{}, after, floor wire.Seq) []wire.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range keys {
		if m.lastGoneLocked(p, k, after, floor) > 0 {
			dst = append(dst, k)
		}
	}
	return dst
}

// Query implements link.Source: fills by itself, the rest by Ask.
func (m *Memory) Query(ctx context.Context, node string, q *wire.Query, applied wire.Seq) *wire.Answer {
	if q.T == wire.QFill && len(q.Afters) == len(q.Chs) && len(q.Uptos) == len(q.Chs) {
		return m.fill(q)
	}
	if m.Ask == nil {
		return &wire.Answer{Err: &wire.Error{Code: wire.BadRequest, Message: fmt.Sprintf("no answer to %q", q.T)}}
	}
	return m.Ask(ctx, node, q, applied)
}

func (m *Memory) fill(q *wire.Query) *wire.Answer {
	m.mu.Lock()
	defer m.mu.Unlock()
	a := &wire.Answer{Epoch: m.epoch}
	for i, ch := range q.Chs {
		p, k := wire.LogOf(ch, m.logs), wire.FramesKey(ch)
		fill := wire.Fill{Ch: ch, Floor: q.Afters[i], Upto: q.Uptos[i]}
		if gone := m.lastGoneLocked(p, k, fill.Floor, fill.Upto); gone > 0 {
			fill.Floor, fill.Gone = gone, gone
		}
		last := fill.Floor
		for _, r := range m.records[p] {
			if r.Keys[0] != k || r.Seq <= fill.Floor || r.Seq > q.Uptos[i] {
				continue
			}
			if q.Oldest && len(fill.Frames) == memoryBatch {
				fill.Upto, fill.More = last, true
				break
			}
			fill.Frames, last = append(fill.Frames, wire.Data(r.Bytes)), r.Seq
		}
		a.Fills = append(a.Fills, fill)
	}
	return a
}

// Signal implements link.Source.
func (m *Memory) Signal(_ string, s *wire.Signal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.signals = append(m.signals, *s)
}
