package session

import (
	"slices"
	"sync"

	"golang.org/x/time/rate"

	"selvedge/edge/cache"
	"selvedge/edge/fanout"
	"selvedge/wire"
)

// session is one client's, from connection to close. What only some need, or
// only at times, hangs on work and more: an idle session is this struct.
type session struct {
	m    *Manager
	sock *fanout.Socket // set by the first message

	mu     sync.Mutex
	work   *work // guarded by mu; nil while there is nothing to do
	closed bool  // guarded by mu

	// Owned by the goroutine that handles messages; read by questions that it
	// started, which see what was set at hello.
	ended  bool // the socket is being closed: what follows isn't looked at
	grants grants
	user   *user
	more   *more
}

// work are the messages of a client that were not handled yet.
type work struct {
	queue  [][]byte
	queued int    // bytes in queue
	busy   bool   // somebody handles them, or the session waits for its hello
	full   bool   // the socket isn't read
	header string // token of the upgrade request
	// handled counts the messages that were taken from queue.
	handled uint64
	// failed are the channels of posts that were not appended, each with the number
	// of the last message that waited behind its post then. Owned by the goroutine
	// that handles messages.
	failed map[wire.Channel]uint64
}

// more is what sessions have that ask or subscribe.
type more struct {
	reads   chan struct{} // capacity maxReads: taken by each question under way
	topics  []*cache.Channel
	watched map[string]struct{}
	guesses *rate.Limiter // of objects that are not there, or not the user's to see
	// least is a state position that the client has seen, elsewhere: what it is
	// told must not be older. 0 = this edge is as far.
	least wire.Seq
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
func (m *Manager) NewSession(token string) any {
	s := &session{m: m}
	if token != "" {
		s.work = &work{header: token}
	}
	return s
}

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
	if s.work == nil {
		s.work = &work{}
	}
	w := s.work
	w.queue = append(w.queue, slices.Clone(payload))
	w.queued += len(payload)
	start := !w.busy
	w.busy = true
	if !w.full && (len(w.queue) >= maxQueue || w.queued >= maxQueued) {
		w.full = true
		k.Busy(true)
	}
	s.mu.Unlock()
	if start {
		m.start(s)
	}
}

// Closed implements fanout.Sessions.
func (m *Manager) Closed(k *fanout.Socket) {
	s := k.Session.(*session)
	s.mu.Lock()
	s.closed = true
	start := s.work == nil || !s.work.busy // else whoever is at it ends the session
	if s.work != nil {
		s.work.queue = nil
	}
	s.mu.Unlock()
	if start {
		s.end()
	}
}

// run handles the messages there are, in order. It returns when there are no
// more, or the session waits for the answer to its hello: run is called again
// then.
func (s *session) run() {
	for {
		s.mu.Lock()
		w := s.work
		if s.closed {
			s.mu.Unlock()
			s.end()
			return
		}
		if len(w.queue) == 0 {
			if s.work = nil; w.header != "" {
				s.work = &work{header: w.header} // it has not said hello yet
			}
			s.mu.Unlock()
			return
		}
		b := w.queue[0]
		w.queue[0] = nil
		w.queue = w.queue[1:]
		w.queued -= len(b)
		w.handled++
		if w.full && len(w.queue) < maxQueue/2 && w.queued < maxQueued/2 {
			w.full = false
			s.sock.Busy(false)
		}
		s.mu.Unlock()
		if s.handle(w, b) {
			return
		}
	}
}

// goOn goes on with a session whose hello was answered.
func (s *session) goOn() {
	s.mu.Lock()
	idle := !s.closed && len(s.work.queue) == 0
	if idle {
		s.work = nil
	}
	s.mu.Unlock()
	if !idle {
		s.m.serve(s.run)
	}
}

// end gives back what the session holds. It runs once: nobody starts anything
// after closed. Questions may still be under way.
func (s *session) end() {
	if x := s.more; x != nil {
		for _, ch := range x.topics {
			s.m.release(ch)
		}
		x.topics = nil
		for key := range x.watched {
			s.m.objects.Unwatch(key, s)
		}
		x.watched = nil
	}
	if s.user != nil {
		s.m.detach(s.user)
	}
}

// handle handles one message. waits says that it was a hello, whose answer goes
// on with the session.
func (s *session) handle(w *work, b []byte) (waits bool) {
	if s.ended {
		return false
	}
	msg, err := wire.ParseClientMessage(s.sock.Codec(), b)
	if err != nil {
		s.close(wire.CloseMalformed, err.Error())
		return false
	}
	switch {
	case msg.T == wire.TPing:
		s.sock.SendMessage(struct {
			T string `json:"t"`
		}{wire.TPong})
	case msg.T == wire.THello && s.user == nil:
		return s.hello(w, msg)
	case msg.T == wire.THello:
		s.close(wire.CloseMalformed, "a second hello")
	case s.user == nil:
		s.close(wire.CloseMalformed, "the first message must be hello")
	default:
		s.request(w, msg)
	}
	return false
}

// extras are s.more, made when first needed.
func (s *session) extras() *more {
	if s.more == nil {
		s.more = &more{}
	}
	return s.more
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
