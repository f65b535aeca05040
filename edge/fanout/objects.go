package fanout

import "selvedge/edge/cache"

// Object is one version of a document, as sockets get it. It is immutable.
type Object interface {
	// ID is unlike that of any other version of any document at this edge.
	ID() uint32
	// PacketIn is the WebSocket message of the object in a form, valid for ever.
	PacketIn(form cache.Form) []byte
}

// maxSeen is how many objects a session is known to have. It is a guess at how
// many people talk in the rooms of a user: one who is forgotten is sent again.
const maxSeen = 32

// seen are the ids of the objects that a session had last, exactly.
type seen struct {
	ids  [maxSeen]uint32
	n    uint8 // of them that are set
	next uint8 // to be overwritten
}

func (r *seen) has(id uint32) bool {
	for i := range r.ids[:r.n] {
		if r.ids[i] == id {
			return true
		}
	}
	return false
}

// add reports whether id is new.
func (r *seen) add(id uint32) bool {
	if r.has(id) {
		return false
	}
	r.ids[r.next] = id
	r.next = (r.next + 1) % maxSeen
	r.n = min(r.n+1, maxSeen)
	return true
}

// saw is what k has seen, made when first needed.
func (k *Socket) saw() *seen {
	x := k.more()
	if x.seen == nil {
		x.seen = &seen{}
	}
	return x.seen
}

// Saw tells that the session got these objects otherwise, as by a reply.
func (k *Socket) Saw(ids ...uint32) {
	k.shard.post(mail{fn: func(*shard) {
		if k.state != running {
			return
		}
		for _, id := range ids {
			k.saw().add(id)
		}
	}})
}

// Object hands on an object that has come after frames of ch that refer to it:
// to each session that gets these, and has not seen it.
func (e *Engine) Object(ch *cache.Channel, o Object) {
	e.each(func(s *shard) { s.object(ch, o) })
}

func (s *shard) object(ch *cache.Channel, o Object) {
	var to []*Socket
	s.each(ch, func(k *Socket) {
		if k.state == running && !k.hides(ch) {
			to = append(to, k)
		}
	})
	for _, k := range to { // one that is too slow leaves
		if k.saw().add(o.ID()) {
			s.reply(k, o.PacketIn(k.form))
		}
	}
}

// objectsOf are the objects that f refers to and this edge has, until the next
// call.
func (s *shard) objectsOf(f *cache.Frame) []Object {
	if !f.Refers || s.e.cfg.Objects == nil {
		return nil
	}
	clear(s.objects)
	s.objects = s.e.cfg.Objects(s.objects[:0], f)
	return s.objects
}

// show sends k the objects that it has not seen. The frame that refers to them
// follows.
func (s *shard) show(k *Socket, objects []Object) {
	seen := k.saw()
	for _, o := range objects {
		if seen.add(o.ID()) {
			s.push(k, o.PacketIn(k.form))
		}
	}
}

// give sends k a frame that is read from the cache, and before it the objects
// that it refers to.
func (s *shard) give(k *Socket, f *cache.Frame, back bool) {
	if objects := s.objectsOf(f); len(objects) > 0 {
		s.show(k, objects)
	}
	s.push(k, f.PacketIn(k.form, back))
}
