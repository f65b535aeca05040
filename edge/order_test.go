package edge

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"selvedge/wire/link"
)

// An order stops the edge as a signal does, and says who gave it; what it does not know
// it does not do.
func TestOrdered(t *testing.T) {
	n := newNode(t)
	var out bytes.Buffer
	n.cfg.Logger = slog.New(slog.NewTextHandler(&out, nil))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	n.stop = stop
	n.ordered("core-1", link.Order{Do: "dance", By: "key"})
	if ctx.Err() != nil || !strings.Contains(out.String(), `order=dance core=core-1`) {
		t.Errorf("stopped by an unknown order: %v; logged %s", ctx.Err(), &out)
	}
	out.Reset()
	n.ordered("core-1", link.Order{Do: link.Drain, By: "key", Via: "core-2"})
	if ctx.Err() == nil || !strings.Contains(out.String(), `msg="told to drain" core=core-1 by=key via=core-2`) {
		t.Errorf("not stopped; logged %s", &out)
	}
	out.Reset()
	n.retire()
	n.ordered("core-2", link.Order{Do: link.Drain})
	if out.Len() > 0 {
		t.Errorf("told twice: %s", &out)
	}
}
