package session

import (
	"slices"
	"sync"
	"sync/atomic"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/internal/identity"
	"selvedge/wire"
)

// session is one client's, from connection to close.
type session struct {
	m    *Manager
	sock *fanout.Socket // set by the first message

	expires atomic.Int64 // Unix seconds; 0 = not said hello yet

	mu     sync.Mutex
	queue  [][]byte // guarded by mu: messages not handled yet
	queued int      // guarded by mu: bytes in queue
	busy   bool     // guarded by mu: a goroutine handles them
	full   bool     // guarded by mu: the socket isn't read
	closed bool     // guarded by mu

	reads chan struct{} // capacity maxReads: taken by each question under way

	// Owned by the goroutine that handles messages; read by questions that it
	// started, which see what was set at hello.
	header string // token of the upgrade request
	claims identity.Claims
	user   *user
	topics []*cache.Channel
	failed map[wire.Channel]bool // a post was not appended, and what came behind it waits still
	ended  bool                  // the socket is being closed: what follows isn't looked at
}

const (
	// maxQueue and maxQueued bound the messages of a client that wait: past
	// them its socket isn't read.
	maxQueue  = 64
	maxQueued = 256 << 10
	// maxReads bounds the questions that a client has under way.
	maxReads = 16
)

// NewSession is what a socket starts with; token comes from its upgrade
// request, if it had one.
func (m *Manager) NewSession(token string) any { return &session{m: m, header: token} }

// Message implements fanout.Sessions.
func (m *Manager) Message(k *fanout.Socket, payload []byte) {
	s := k.Session.(*session)
	s.mu.Lock()
	if s.sock == nil { // later it is read without the lock
		s.sock = k
	}
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.queue = append(s.queue, slices.Clone(payload))
	s.queued += len(payload)
	start := !s.busy
	s.busy = true
	if !s.full && (len(s.queue) >= maxQueue || s.queued >= maxQueued) {
		s.full = true
		k.Busy(true)
	}
	s.mu.Unlock()
	if start {
		m.spawn(s.work)
	}
}

// Closed implements fanout.Sessions.
func (m *Manager) Closed(k *fanout.Socket) {
	s := k.Session.(*session)
	s.mu.Lock()
	s.closed = true
	s.queue = nil
	start := !s.busy // else work ends the session when it has done its message
	s.mu.Unlock()
	if start {
		s.end()
	}
}

// work handles the messages there are, in order.
func (s *session) work() {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			s.end()
			return
		}
		if len(s.queue) == 0 {
			s.busy, s.queue, s.failed = false, nil, nil
			s.mu.Unlock()
			return
		}
		b := s.queue[0]
		s.queue = s.queue[1:]
		s.queued -= len(b)
		if s.full && len(s.queue) < maxQueue/2 && s.queued < maxQueued/2 {
			s.full = false
			s.sock.Busy(false)
		}
		s.mu.Unlock()
		s.handle(b)
	}
}

// end gives back what the session holds. It runs once: nobody sets busy after
// closed.
func (s *session) end() {
	s.m.mu.Lock()
	delete(s.m.sessions, s)
	s.m.mu.Unlock()
	for _, ch := range s.topics {
		s.m.release(ch)
	}
	s.topics = nil
	if s.user != nil {
		s.m.detach(s.user)
		s.user = nil
	}
}

func (s *session) handle(b []byte) {
	if s.ended {
		return
	}
	msg, err := wire.ParseClientMessage(s.sock.Codec(), b)
	if err != nil {
		s.close(wire.CloseMalformed, err.Error())
		return
	}
	switch {
	case msg.T == wire.TPing:
		s.sock.SendMessage(struct {
			T string `json:"t"`
		}{wire.TPong})
	case msg.T == wire.THello && s.user == nil:
		s.hello(msg)
	case msg.T == wire.THello:
		s.close(wire.CloseMalformed, "a second hello")
	case s.user == nil:
		s.close(wire.CloseMalformed, "the first message must be hello")
	default:
		s.request(msg)
	}
}

// close ends the session, with the reason.
func (s *session) close(code wire.CloseCode, reason string) {
	s.ended = true
	s.sock.Close(code, clip(reason))
}

// fail answers request id with an error.
func (s *session) fail(id uint64, code wire.Code, message string) {
	s.sock.SendMessage(wire.Error{T: wire.TError, ID: id, Code: code, Message: message})
}

// clip fits text into a close frame's reason (RFC 6455, section 5.5.1: 123 bytes).
func clip(s string) string { return s[:min(len(s), 120)] }
