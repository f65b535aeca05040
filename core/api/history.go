package api

import (
	"context"

	"selvedge/wire"
)

func (a *api) history(ctx context.Context, q *request) (answer, error) {
	ch := wire.Channel(q.PathValue("ch"))
	if err := ch.Check(); err != nil {
		return answer{}, bad("ch", "%v", err)
	}
	values, err := q.query("before", "after", "limit")
	if err != nil {
		return answer{}, err
	}
	before, err := position(values, "before")
	if err != nil {
		return answer{}, err
	}
	after, err := position(values, "after")
	if err != nil {
		return answer{}, err
	}
	limit, err := limitOf(values)
	if err != nil {
		return answer{}, err
	}
	page, err := a.History(ctx, ch, before, after, limit)
	if err != nil {
		return answer{}, err
	}
	if page.Frames == nil {
		page.Frames = []wire.Data{}
	}
	return ok(struct {
		Frames []wire.Data `json:"frames"`
		Floor  wire.Seq    `json:"floor"`
		Last   wire.Seq    `json:"last"`
		Next   wire.Seq    `json:"next,omitempty"`
	}{page.Frames, page.Floor, page.Last, page.Next})
}

func (a *api) cluster(_ context.Context, q *request) (answer, error) {
	if _, err := q.query(); err != nil {
		return answer{}, err
	}
	return ok(a.Cluster())
}
