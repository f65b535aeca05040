package log

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"selvedge/wire"

	"github.com/nats-io/nats.go/jetstream"
)

// askLeader asks the leader of a stream, which has everything that was
// acknowledged, for one record: the first that a read would give. It returns
// errNotFound, or ErrUnavailable.
func (sess *session) askLeader(ctx context.Context, stream string, req getRequest) (record, error) {
	if req.Batch > 0 && req.NextFor == "" {
		req.NextFor = ">" // at or after Seq, not at it
	}
	req.Batch, req.MaxBytes = 0, 0
	b, err := json.Marshal(req)
	if err != nil {
		return record{}, fmt.Errorf("encode a read: %w", err)
	}
	m, err := sess.request(ctx, "$JS.API.STREAM.MSG.GET."+stream, b, min(readLimit, sess.patience))
	if err != nil {
		return record{}, err
	}
	var answer struct {
		Error   *jetstream.APIError `json:"error"`
		Message struct {
			Seq    wire.Seq `json:"seq"`
			Data   []byte   `json:"data"`
			Stored string   `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		return record{}, unavailable(err)
	}
	switch {
	case answer.Error != nil && answer.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return record{}, errNotFound
	case answer.Error != nil:
		return record{}, unavailable(answer.Error)
	case answer.Message.Seq == 0:
		return record{}, unavailable(errors.New("it sent a record without a position"))
	}
	return record{seq: answer.Message.Seq, data: answer.Message.Data, stored: answer.Message.Stored}, nil
}
