package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"

	"selvedge/wire"
)

// publishRequest is the body of a publish, and an item of a batch.
type publishRequest struct {
	Channel wire.Channel `json:"channel"`
	Data    wire.Data    `json:"data"`
	From    string       `json:"from"`
	MsgID   string       `json:"msg_id"`
	Refs    []string     `json:"refs"`
	Signal  bool         `json:"signal"`
}

// DecodeMsgpack implements msgpack.CustomDecoder. The decoder makes null data
// empty without asking, like data that is missing; here they are told apart by
// what stood there before.
func (r *publishRequest) DecodeMsgpack(dec *msgpack.Decoder) error {
	const never = 0xc1 // begins no msgpack value
	type fields publishRequest
	f := fields{Data: wire.Data{never}}
	if err := dec.Decode(&f); err != nil {
		return err
	}
	switch {
	case len(f.Data) == 0:
		f.Data = wire.Data{0xc0} // null
	case f.Data[0] == never:
		f.Data = nil
	}
	*r = publishRequest(f)
	return nil
}

// published answers a publish. A signal has no position: its seq is 0.
type published struct {
	P         wire.LogID `json:"p"`
	Seq       wire.Seq   `json:"seq"`
	Epoch     string     `json:"epoch,omitempty"`
	Duplicate bool       `json:"duplicate,omitempty"`
}

// parallel is how many channels of a batch are published to at a time.
const parallel = 64

func (a *api) publish(ctx context.Context, q *request) (answer, error) {
	var body publishRequest
	if err := q.decode(&body); err != nil {
		return answer{}, err
	}
	if id := q.Header.Get("Idempotency-Key"); id != "" {
		if body.MsgID != "" && body.MsgID != id {
			return answer{}, bad("msg_id", "msg_id and the Idempotency-Key header differ: send one of them")
		}
		body.MsgID = id
	}
	post, p := a.check(&body)
	if p != nil {
		return answer{}, p
	}
	if body.Signal {
		return ok(a.signal(post))
	}
	placed, err := a.Publisher.Publish(ctx, q.publisher, post)
	if err != nil {
		return answer{}, err
	}
	return ok(published{P: placed.P, Seq: placed.Seq, Epoch: a.Epoch, Duplicate: placed.Duplicate})
}

func (a *api) signal(post *wire.Post) published {
	a.Signal(post.Ch, post.From, post.Data)
	return published{P: wire.LogOf(post.Ch, a.Logs), Epoch: a.Epoch}
}

// check makes a post of what was sent, or says what is wrong with it.
func (a *api) check(body *publishRequest) (*wire.Post, *problem) {
	post := &wire.Post{
		Ch: body.Channel, TS: a.Now().UnixMilli(), From: body.From,
		MsgID: body.MsgID, Refs: body.Refs, Data: body.Data,
	}
	if body.Channel == "" {
		return nil, bad("channel", "channel is missing: use room:<id>, inbox:<user> or topic:<id>")
	}
	if len(post.Data) == 0 {
		return nil, bad("data", "data is missing")
	}
	if err := post.Check(); err != nil {
		p, known := asProblem(err)
		if !known {
			p = bad("", "%v", err)
		}
		p.Field = blame(post)
		return nil, p
	}
	if body.Signal {
		return post, a.checkSignal(post)
	}
	return post, nil
}

// blame finds the field of a post that did not pass its check.
func blame(post *wire.Post) string {
	switch {
	case post.Ch.Check() != nil:
		return "channel"
	case len(post.Data) > wire.MaxData:
		return "data"
	case len(post.MsgID) > wire.MaxMsgID || !utf8.ValidString(post.MsgID):
		return "msg_id"
	case len(post.From) > wire.MaxID || !utf8.ValidString(post.From):
		return "from"
	case len(post.Refs) > wire.MaxRefs:
		return "refs"
	}
	for _, id := range post.Refs {
		if wire.CheckID(id) != nil {
			return "refs"
		}
	}
	return "data"
}

func (a *api) checkSignal(post *wire.Post) *problem {
	switch {
	case a.Signal == nil:
		return bad("signal", "this core takes no signals")
	case post.MsgID != "":
		return bad("msg_id", "a signal is not kept: it takes no msg_id")
	case len(post.Refs) > 0:
		return bad("refs", "a signal is not kept: it takes no refs")
	}
	b, err := wire.Msgpack.Append(nil, wire.Signal{T: wire.TSignal, Ch: post.Ch, From: post.From, Data: post.Data})
	if err != nil {
		return bad("data", "%v", err)
	}
	if len(b) > wire.MaxSignal {
		return &problem{Code: wire.TooLarge, Message: fmt.Sprintf("a signal of %d bytes, at most %d are allowed: publish it as a message", len(b), wire.MaxSignal), Field: "data"}
	}
	return nil
}

// publishBatch publishes items, per channel in order, channels side by side.
func (a *api) publishBatch(ctx context.Context, q *request) (answer, error) {
	var body struct {
		Items []publishRequest `json:"items"`
	}
	if err := q.decode(&body); err != nil {
		return answer{}, err
	}
	if body.Items == nil {
		return answer{}, bad("items", "items is missing")
	}
	posts := make([]*wire.Post, len(body.Items))
	key := q.Header.Get("Idempotency-Key")
	for i := range body.Items {
		item := &body.Items[i]
		if key != "" && item.MsgID == "" && !item.Signal {
			item.MsgID = key + "/" + strconv.Itoa(i) // the header repeats with the batch, and so do these
		}
		post, p := a.check(item)
		if p != nil {
			return answer{}, p.at("items[" + strconv.Itoa(i) + "]")
		}
		posts[i] = post
	}
	results := make([]any, len(posts))
	a.eachChannel(posts, func(items []int) {
		a.publishInOrder(ctx, q.publisher, body.Items, posts, items, results)
	})
	return answer{http.StatusOK, map[string]any{"results": results}}, nil
}

// eachChannel calls fn with the items of each channel, in their order, for up
// to parallel channels at a time.
func (a *api) eachChannel(posts []*wire.Post, fn func(items []int)) {
	groups := make([][]int, 0, min(len(posts), 256))
	group := make(map[wire.Channel]int, cap(groups))
	for i, post := range posts {
		g, ok := group[post.Ch]
		if !ok {
			g = len(groups)
			group[post.Ch] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(parallel, len(groups)) {
		workers.Go(func() {
			for {
				g := int(next.Add(1)) - 1
				if g >= len(groups) {
					return
				}
				fn(groups[g])
			}
		})
	}
	workers.Wait()
}

// publishInOrder publishes the items of one channel until one fails (rule 9).
func (a *api) publishInOrder(ctx context.Context, publisher string, sent []publishRequest, posts []*wire.Post, items []int, results []any) {
	for k, i := range items {
		if sent[i].Signal {
			results[i] = a.signal(posts[i])
			continue
		}
		placed, err := a.Publisher.Publish(ctx, publisher, posts[i])
		if err == nil {
			results[i] = published{P: placed.P, Seq: placed.Seq, Duplicate: placed.Duplicate}
			continue
		}
		results[i] = a.itemFailure(err)
		for _, later := range items[k+1:] {
			results[later] = failure{&problem{Code: wire.Unavailable, Message: "not attempted: an earlier item of this channel failed"}}
		}
		return
	}
}

// itemFailure is the result of an item that failed. A surprise is logged, once
// per item: a core that is surprised so often deserves the noise.
func (a *api) itemFailure(err error) failure {
	p, known := asProblem(err)
	if !known {
		a.Logger.Error("api: an item of a batch failed", "error", err)
	}
	return failure{p}
}
