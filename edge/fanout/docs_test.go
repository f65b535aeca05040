package fanout

import (
	"slices"

	"selvedge/edge/cache"
	"selvedge/wire"
)

// docs are the documents of the rig's edge: what is not known is wanted until it
// is learned.
type docs struct {
	ids    uint32
	clock  int // counts what was learned
	known  map[string][]*doc
	wanted map[string][]*cache.Channel
}

// doc is a version of a user's document.
type doc struct {
	id      uint32
	v       int
	learned int // docs.clock
	packets Packets
}

func (d *doc) ID() uint32                      { return d.id }
func (d *doc) PacketIn(form cache.Form) []byte { return d.packets[form.Codec()] }

// objects is Config.Objects.
func (r *rig) objects(dst []Object, f *cache.Frame) []Object {
	post, err := f.Post()
	if err != nil || f.Channel == nil {
		r.t.Errorf("a frame of %v: %v", f.Channel, err)
		return dst
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, user := range append([]string{post.From}, post.Refs...) {
		if user == "" {
			continue
		}
		if d := r.docs.upTo(user, r.docs.clock); d != nil {
			dst = append(dst, d)
		} else if list := r.docs.wanted[user]; !slices.Contains(list, f.Channel) {
			r.docs.wanted[user] = append(list, f.Channel)
		}
	}
	return dst
}

// upTo is what was known of a user at a time; nil = nothing.
func (d *docs) upTo(user string, clock int) (known *doc) {
	for _, v := range d.known[user] {
		if v.learned <= clock {
			known = v
		}
	}
	return known
}

// learn has the edge know another version of a user's document, and hands it on
// to the channels that wanted one.
func (r *rig) learn(user string) *doc {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.docs.ids++
	r.docs.clock++
	d := &doc{id: r.docs.ids, v: len(r.docs.known[user]) + 1, learned: r.docs.clock}
	var err error
	d.packets, err = Encode(struct {
		T   string `json:"t"`
		Key string `json:"key"`
		V   int    `json:"v"`
		Doc uint32 `json:"doc"`
	}{wire.TObject, user, d.v, d.id})
	if err != nil {
		r.t.Error(err)
	}
	r.docs.known[user] = append(r.docs.known[user], d)
	for _, ch := range r.docs.wanted[user] {
		r.e.Object(ch, d)
	}
	delete(r.docs.wanted, user)
	return d
}
