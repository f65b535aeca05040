package client

import (
	"context"
	"net/http"

	"selvedge/wire"
)

// Message is what to publish.
type Message struct {
	Channel wire.Channel `json:"channel"`
	Data    wire.Data    `json:"data"`
	From    string       `json:"from,omitempty"`
	// MsgID makes a repetition harmless: within the channel and the key, the core
	// takes an id once in 2 minutes, or what it is set to.
	MsgID  string   `json:"msg_id,omitempty"`
	Refs   []string `json:"refs,omitempty"`
	Signal bool     `json:"signal,omitempty"` // not kept, best effort
}

// Placed says where a message is.
type Placed struct {
	P         wire.LogID `json:"p"`
	Seq       wire.Seq   `json:"seq"`
	Epoch     string     `json:"epoch,omitempty"`
	Duplicate bool       `json:"duplicate,omitempty"` // it was there already
}

// Result is what became of a message of a batch.
type Result struct {
	Placed
	Err error // an *Error; nil = it is in the log
}

// Publish publishes a message and returns when the log has it. Without a MsgID,
// the outcome is unknown after an error that is not an *Error with a status
// below 500.
func (c *Client) Publish(ctx context.Context, m Message) (Placed, error) {
	var placed Placed
	err := c.do(ctx, call{method: http.MethodPost, path: "/v1/publish", body: m, harmless: m.MsgID != ""}, &placed)
	return placed, err
}

// PublishBatch publishes messages, per channel in order, and returns a result
// for each. After one fails, later ones of the same channel are not attempted.
// An error means that there are no results: outcomes are unknown unless it is an
// *Error with a status below 500.
func (c *Client) PublishBatch(ctx context.Context, messages []Message) ([]Result, error) {
	results := make([]Result, len(messages))
	pending := make([]int, len(messages))
	for i := range messages {
		pending[i] = i
	}
	for attempt := 0; ; attempt++ {
		if err := c.publishItems(ctx, messages, pending, results); err != nil {
			return nil, err
		}
		if pending = repeatable(messages, results); len(pending) == 0 || attempt >= c.retries() || !c.sleep(ctx, attempt, 0) {
			return results, nil
		}
	}
}

// publishItems makes one call with the messages of the given indices.
func (c *Client) publishItems(ctx context.Context, messages []Message, items []int, results []Result) error {
	body := struct {
		Items []Message `json:"items"`
	}{make([]Message, len(items))}
	harmless := true
	for k, i := range items {
		body.Items[k] = messages[i]
		harmless = harmless && messages[i].MsgID != ""
	}
	var answer struct {
		Results []struct {
			Placed
			Error *Error `json:"error"`
		} `json:"results"`
	}
	err := c.do(ctx, call{method: http.MethodPost, path: "/v1/publish/batch", body: body, harmless: harmless}, &answer)
	if err != nil {
		return err
	}
	if len(answer.Results) != len(items) {
		return &Error{Code: wire.Internal, Message: "the core gave results for another number of messages than were sent"}
	}
	for k, i := range items {
		results[i] = Result{Placed: answer.Results[k].Placed}
		if e := answer.Results[k].Error; e != nil {
			results[i].Err = e
		}
	}
	return nil
}

// repeatable are the messages that failed because the log was unavailable, up
// to the first of each channel that has no id: a later one must not overtake it.
func repeatable(messages []Message, results []Result) []int {
	var items []int
	stuck := make(map[wire.Channel]bool)
	for i, r := range results {
		switch ch := messages[i].Channel; {
		case r.Err == nil || stuck[ch]:
		case !IsCode(r.Err, wire.Unavailable) || messages[i].MsgID == "":
			stuck[ch] = true
		default:
			items = append(items, i)
		}
	}
	return items
}
