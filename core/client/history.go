package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"selvedge/wire"
)

// Span asks for a part of a channel. Zero positions are no bounds, but for
// FromStart.
type Span struct {
	Before, After wire.Seq
	FromStart     bool // the oldest ones, not the newest
	Limit         int  // 0 = 100, at most 1,000
}

// History is a part of a channel, oldest first.
type History struct {
	Frames []wire.Data `json:"frames"` // whole messages
	Floor  wire.Seq    `json:"floor"`  // everything up to here is gone
	Last   wire.Seq    `json:"last"`   // end of the channel's log
	// Next is the Before of the next page, or its After if that was asked for;
	// 0 = there is no more.
	Next wire.Seq `json:"next"`
}

// History reads frames of a channel: the newest ones, those below Before, or
// those above After.
func (c *Client) History(ctx context.Context, ch wire.Channel, span Span) (page History, err error) {
	q := url.Values{}
	if span.Before != 0 {
		q.Set("before", strconv.FormatUint(uint64(span.Before), 10))
	}
	if span.After != 0 || span.FromStart {
		q.Set("after", strconv.FormatUint(uint64(span.After), 10))
	}
	if span.Limit != 0 {
		q.Set("limit", strconv.Itoa(span.Limit))
	}
	path := "/v1/channels/" + url.PathEscape(string(ch)) + "/history"
	err = c.do(ctx, call{method: http.MethodGet, path: path, query: q, harmless: true}, &page)
	return page, err
}
