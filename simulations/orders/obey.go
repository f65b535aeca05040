package orders

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// answer is the line that follows an order.
type answer[W any] struct {
	Error string `json:"error,omitempty"`
	Word  W      `json:"word"`
}

// Obey answers the orders on in, which handle does, until in ends, or ctx does
// between two of them. It fails if an order can't be read, or its answer not be
// written; an error of handle is the order's answer.
func Obey[O fmt.Stringer, W any](ctx context.Context, in io.Reader, out io.Writer, handle func(context.Context, O) (W, error)) error {
	orders := bufio.NewReader(in)
	for ctx.Err() == nil {
		line, err := orders.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		var o O
		if err == nil {
			err = json.Unmarshal(line, &o)
		}
		if err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
		var a answer[W]
		if a.Word, err = handle(ctx, o); err != nil {
			a.Error = err.Error()
		}
		b, err := json.Marshal(a)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(b, '\n')); err != nil {
			return fmt.Errorf("answer %q: %w", o, err)
		}
	}
	return nil
}
