package fanout

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/edge/cache"
	"selvedge/edge/transport"
	"selvedge/edge/websocket"
	"selvedge/wire"
)

const rigLogs = 2

// rig is an engine with a real cache, logs that hold the truth, and a filler
// that answers from it.
type rig struct {
	t     testing.TB
	e     *Engine
	cache *cache.Cache
	logs  [rigLogs]trueLog
	stop  func()

	mu       sync.Mutex
	asked    []string // fills asked for, "channel after"
	asking   map[*cache.Channel]wire.Seq
	busy     bool
	noFills  bool
	withheld int
	closes   []wire.CloseCode
	fills    sync.WaitGroup
	docs     docs // guarded by mu
}

// trueLog is a frame log as the core has it.
type trueLog struct {
	frames  []wire.Frame
	end     wire.Seq
	sent    wire.Seq // what the link brought
	trimmed wire.Seq // frames up to it are gone
}

type rigConfig struct {
	Config
	cacheBytes int64
	sendBuffer int
	loops      []transport.Loop
	objects    bool // frames' objects are asked of rig.docs
}

func newRig(t testing.TB, cfg rigConfig) *rig {
	t.Helper()
	if cfg.cacheBytes == 0 {
		cfg.cacheBytes = 64 << 20
	}
	if cfg.loops == nil {
		cfg.loops = []transport.Loop{transport.NewPortable(transport.Config{SendBuffer: cfg.sendBuffer})}
	}
	r := &rig{t: t, cache: cache.New(rigLogs, cfg.cacheBytes), asking: map[*cache.Channel]wire.Seq{}}
	r.docs = docs{known: map[string][]*doc{}, wanted: map[string][]*cache.Channel{}}
	cfg.Loops, cfg.Logs, cfg.Sessions, cfg.Fill = cfg.loops, rigLogs, r, r.fill
	if cfg.objects {
		cfg.Objects = r.objects
	}
	cfg.Events.Withheld = func(string) {
		r.mu.Lock()
		r.withheld++
		r.mu.Unlock()
	}
	cfg.Events.Closed = func(code wire.CloseCode) {
		r.mu.Lock()
		r.closes = append(r.closes, code)
		r.mu.Unlock()
	}
	r.e = New(cfg.Config, make([]wire.Seq, rigLogs))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.e.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		if n := r.e.numbers.Len(); n > 0 {
			t.Errorf("%d rooms have a number when all sockets are closed", n)
		}
		r.fills.Wait()
	}
	return r
}

// bubble runs fn with a rig in a bubble of its own time.
func bubble(t *testing.T, cfg rigConfig, fn func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, cfg)
		defer r.stop()
		fn(r)
	})
}

// room is the nth room whose log is p.
func room(p wire.LogID, n int) wire.Channel { return nth(wire.RoomPrefix, p, n) }

// topic is the nth topic whose log is p.
func topic(p wire.LogID, n int) wire.Channel { return nth(wire.TopicPrefix, p, n) }

func nth(prefix string, p wire.LogID, n int) wire.Channel {
	for i := 0; ; i++ {
		if ch := wire.Channel(fmt.Sprintf("%sr%d", prefix, i)); wire.LogOf(ch, rigLogs) == p {
			if n == 0 {
				return ch
			}
			n--
		}
	}
}

// hold acquires a channel that is live from where its log stands.
func (r *rig) hold(name wire.Channel) *cache.Channel {
	ch, _ := r.cache.Acquire(name)
	r.live(ch, r.cache.Log(ch.P).Pos())
	return ch
}

// live is what the marker of ch's interest does; since was asked for.
func (r *rig) live(ch *cache.Channel, since wire.Seq) {
	l := &r.logs[ch.P]
	floor := since
	if len(l.between(ch.Name, since, l.sent)) > 0 || l.trimmed > since { // it may have
		floor = max(since, l.sent)
	}
	ch.SetLive(floor)
	r.advance(ch.P, nil, l.sent)
	r.e.Covered(ch.P)
}

func (l *trueLog) between(ch wire.Channel, after, upto wire.Seq) []wire.Frame {
	var out []wire.Frame
	for _, f := range l.frames {
		if f.Ch == ch && f.Seq > after && f.Seq <= upto {
			out = append(out, f)
		}
	}
	return out
}

// lost are the channels with frames in (after, upto].
func (l *trueLog) lost(after, upto wire.Seq) (keys []wire.Key) {
	for _, f := range l.frames {
		if k := wire.FramesKey(f.Ch); f.Seq > after && f.Seq <= upto && !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// write appends a frame to the truth; the link has yet to bring it.
func (r *rig) write(name wire.Channel, size int) wire.Seq { return r.writeFrom(name, size, "") }

// writeFrom is write for a frame that refers to users.
func (r *rig) writeFrom(name wire.Channel, size int, author string, refs ...string) wire.Seq {
	p := wire.LogOf(name, rigLogs)
	l := &r.logs[p]
	var prev wire.Seq
	if fs := l.between(name, 0, l.end); len(fs) > 0 {
		prev = fs[len(fs)-1].Seq
	}
	l.end++
	data, err := wire.ParseJSON(fmt.Appendf(nil, "%q", strings.Repeat("x", size)))
	if err != nil {
		r.t.Fatal(err)
	}
	f, err := wire.ParseFrame(wire.AppendFrame(nil, p, l.end, prev, wire.AppendBody(nil, &wire.Post{Ch: name, TS: 1, From: author, Refs: refs, Data: data})))
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock() // fills are answered meanwhile
	defer r.mu.Unlock()
	l.frames = append(l.frames, f)
	return l.end
}

// bring is the link's work: what was written up to a position comes.
func (r *rig) bring(p wire.LogID, upto wire.Seq) {
	l := &r.logs[p]
	var frames []*cache.Frame
	for _, f := range l.frames {
		if f.Seq > l.sent && f.Seq <= upto {
			frames = append(frames, &cache.Frame{Frame: f})
		}
	}
	l.sent = max(l.sent, upto)
	r.advance(p, frames, l.sent)
}

func (r *rig) advance(p wire.LogID, frames []*cache.Frame, upto wire.Seq) {
	log := r.cache.Log(p)
	kept := log.Append(frames, upto)
	r.e.Publish(&Batch{P: p, Frames: kept, Upto: log.Pos()})
}

// publish writes and brings n frames of a channel, and returns their positions.
func (r *rig) publish(name wire.Channel, n int) []wire.Seq {
	var out []wire.Seq
	for range n {
		seq := r.write(name, 10)
		r.bring(wire.LogOf(name, rigLogs), seq)
		out = append(out, seq)
	}
	return out
}

// fill is Config.Fill: it answers 10 ms later, many channels at once.
func (r *rig) fill(ch *cache.Channel, after wire.Seq) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, fmt.Sprint(ch.Name, " ", after))
	floor, live := ch.Floor()
	if r.noFills || !live || after >= floor {
		return
	}
	if at, ok := r.asking[ch]; !ok || after < at {
		r.asking[ch] = after
	}
	if !r.busy {
		r.busy = true
		r.fills.Go(r.answer)
	}
}

func (r *rig) answer() {
	for {
		<-time.After(10 * time.Millisecond)
		r.mu.Lock()
		asking := r.asking
		r.asking = map[*cache.Channel]wire.Seq{}
		if len(asking) == 0 {
			r.busy = false
			r.mu.Unlock()
			return
		}
		for ch, after := range asking {
			floor, live := ch.Floor()
			if !live || after >= floor {
				continue
			}
			l := &r.logs[ch.P]
			f := &wire.Fill{Ch: ch.Name, Floor: after, Upto: floor}
			if gone := l.between(ch.Name, after, min(l.trimmed, floor)); len(gone) > 0 {
				last := gone[len(gone)-1].Seq
				f.Floor, f.Gone = last, last
			}
			frames := l.between(ch.Name, f.Floor, floor)
			if len(frames) > 20 {
				frames = frames[len(frames)-20:]
				f.Floor, f.Gone = frames[0].Prev, 0
			}
			for _, fr := range frames {
				f.Frames = append(f.Frames, wire.Data(fr.Bytes))
			}
			if _, err := ch.Fill(f); err != nil {
				r.t.Error(err)
			}
		}
		r.mu.Unlock()
		for p := range rigLogs {
			r.e.Covered(wire.LogID(p))
		}
	}
}

// Message implements Sessions: the socket is the client's from here on.
func (r *rig) Message(k *Socket, payload []byte) {
	c := k.Session.(*peer)
	c.mu.Lock()
	c.sock = k
	c.said = append(c.said, string(payload))
	c.mu.Unlock()
}

// Closed implements Sessions.
func (r *rig) Closed(k *Socket) {
	c := k.Session.(*peer)
	c.mu.Lock()
	c.closed++
	c.mu.Unlock()
}

// attach connects a client that has not said hello.
func (r *rig) attach(codec wire.Codec) *peer {
	r.t.Helper()
	return r.agree(websocket.Agreement{Codec: codec})
}

// agree is attach with all that client and server agreed on.
func (r *rig) agree(agreed websocket.Agreement) *peer {
	r.t.Helper()
	ours, theirs := net.Pipe()
	c := newPeer(r, theirs, agreed.Codec)
	if err := r.e.Attach(ours, nil, agreed, c); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
	return c
}

// rooms is a list for one Start.
func (r *rig) rooms(chs ...*cache.Channel) Rooms { return r.e.numbers.Rooms(chs) }

// connect is a client whose socket is ready for its Start.
func (r *rig) connect(codec wire.Codec) *peer {
	r.t.Helper()
	c := r.attach(codec)
	c.send("hello")
	synctest.Wait()
	if c.sock == nil {
		r.t.Fatal("the hello did not arrive")
	}
	return c
}

// enter is a client with a session of user in rooms, from where the logs stand.
func (r *rig) enter(user wire.UserID, codec wire.Codec, rooms ...*cache.Channel) *peer {
	r.t.Helper()
	return r.start(codec, &Start{User: user, Rooms: r.rooms(rooms...)})
}

func (r *rig) start(codec wire.Codec, st *Start) *peer {
	r.t.Helper()
	c := r.connect(codec)
	r.begin(c, st)
	synctest.Wait()
	return c
}

func (r *rig) begin(c *peer, st *Start) {
	if st.At == nil {
		st.At = c.sock.AppendPositions(nil)
	}
	if st.Welcome == nil {
		p, err := Encode(wire.Welcome{T: wire.TWelcome})
		if err != nil {
			r.t.Fatal(err)
		}
		st.Welcome = p[c.codec]
	}
	c.sock.Start(st)
}

func joinedPackets(t testing.TB, ch *cache.Channel, from, v wire.Seq) Packets {
	t.Helper()
	p, err := Encode(wire.Joined{T: wire.TJoined, Ch: ch.Name, P: ch.P, From: from, V: v})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (r *rig) join(user wire.UserID, ch *cache.Channel, from, v wire.Seq) {
	r.e.Join(user, ch, from, joinedPackets(r.t, ch, from, v))
	synctest.Wait()
}

func (r *rig) leave(user wire.UserID, ch *cache.Channel, v wire.Seq) {
	p, err := Encode(wire.Left{T: wire.TLeft, Ch: ch.Name, V: v})
	if err != nil {
		r.t.Fatal(err)
	}
	r.e.Leave(user, ch, p)
	synctest.Wait()
}

// pass lets time go by.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
