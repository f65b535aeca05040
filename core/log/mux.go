package log

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// mux hands answers to the calls that wait for them, all over one subscription
// of one connection.
type mux struct {
	nc     *nats.Conn
	prefix string

	mu    sync.Mutex
	last  uint64
	calls map[uint64]call
}

// call is a question whose answer is awaited. Its methods are called without
// the mux's lock and must not block; fail may come at any time, also twice.
type call interface {
	answer(m *nats.Msg) (last bool)
	fail(err error)
	since() time.Time
}

func newMux(nc *nats.Conn) (*mux, error) {
	m := &mux{nc: nc, prefix: nats.NewInbox() + ".", calls: make(map[uint64]call)}
	sub, err := nc.Subscribe(m.prefix+"*", m.receive)
	if err == nil {
		// Bounded by what is asked for, not here: an answer lost is a call stuck.
		err = sub.SetPendingLimits(-1, -1)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded log: %w", err)
	}
	return m, nil
}

// ask sends a message whose answers go to c, and returns its number for forget.
// On an error, c hears nothing.
func (m *mux) ask(subject string, header nats.Header, data []byte, c call) (uint64, error) {
	m.mu.Lock()
	m.last++
	id := m.last
	m.calls[id] = c
	m.mu.Unlock()
	msg := &nats.Msg{Subject: subject, Reply: m.prefix + strconv.FormatUint(id, 36), Header: header, Data: data}
	if err := m.nc.PublishMsg(msg); err != nil {
		if m.forget(id) {
			return 0, unavailable(err)
		}
		return 0, nil // failAll was faster: c knows
	}
	return id, nil
}

// forget drops a call, and reports whether it was still waiting.
func (m *mux) forget(id uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.calls[id]
	delete(m.calls, id)
	return ok
}

func (m *mux) receive(msg *nats.Msg) {
	id, err := strconv.ParseUint(strings.TrimPrefix(msg.Subject, m.prefix), 36, 64)
	if err != nil {
		return
	}
	m.mu.Lock()
	c := m.calls[id]
	m.mu.Unlock()
	if c != nil && c.answer(msg) {
		m.forget(id)
	}
}

// failAll ends all calls that wait now.
func (m *mux) failAll(err error) {
	m.mu.Lock()
	calls := m.calls
	m.calls = make(map[uint64]call)
	m.mu.Unlock()
	for _, c := range calls {
		c.fail(err)
	}
}

// oldest is when the call was made that waits longest; zero if none waits.
func (m *mux) oldest() (t time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.calls {
		if at := c.since(); t.IsZero() || at.Before(t) {
			t = at
		}
	}
	return t
}

// expire ends the calls that wait since before a time.
func (m *mux) expire(before time.Time, err error) {
	m.expireIf(before, err, func(call) bool { return true })
}

// expireIf ends those of them that are meant; it must not call the mux.
func (m *mux) expireIf(before time.Time, err error, meant func(call) bool) {
	var old []call
	m.mu.Lock()
	for id, c := range m.calls {
		if c.since().Before(before) && meant(c) {
			old = append(old, c)
			delete(m.calls, id)
		}
	}
	m.mu.Unlock()
	for _, c := range old {
		c.fail(err)
	}
}
