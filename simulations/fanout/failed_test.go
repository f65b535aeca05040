package fanout

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"selvedge/simulations/mega"
)

// silent accepts connections, and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() }) // what the kernel accepted ends with it
	return ln.Addr().String()
}

// closed is where nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	return ln.Addr().String()
}

// A tier whose gateways are refused at one process, and wait at the other, and one
// that takes too long to connect, are told, and the others measured.
func TestATierThatFailsIsLeftOut(t *testing.T) {
	s := Default()
	s.Parts, s.Tiers, s.Gateways, s.Processes = []string{partTiers}, []string{tierDirect}, []int{2}, 2
	s.Singles, s.Rates, s.Idle = 2, nil, 0.05
	r := &rig{scenario: s, patience: 10 * time.Second, stderr: io.Discard, connectTime: 2 * time.Second}
	t.Cleanup(func() {
		if err := r.end(nil); err != nil {
			t.Error(err)
		}
	})
	if err := r.start(t.Context(), "simulate", "fanout-clients"); err != nil {
		t.Fatal(err)
	}
	to := func(name string, addrs ...string) *tier {
		out := &tier{name: name, label: label(name), connect: order{Kind: kindRedis, Channel: string(channel), Bytes: s.PayloadBytes}}
		out.publish = func(context.Context, []byte) error { return nil }
		for _, a := range addrs {
			out.connect.Targets = append(out.connect.Targets, target{Addr: a})
		}
		return out
	}
	r.tiers = append([]*tier{to(tierRedis, closed(t), silent(t)), to(tierCluster, silent(t))}, r.tiers...)
	res, err := r.measure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(res.tiers(), []string{tierDirect}) || len(res.Rows) != 1 || res.Rows[0].Receipts != 4 {
		t.Errorf("%+v", res.Rows)
	}
	if len(res.Failed) != 2 || !strings.Contains(res.Failed[0], "refused") || !strings.Contains(res.Failed[1], "within 2s") {
		t.Errorf("%q", res.Failed)
	}
}

// A report can be made of nothing but tiers that failed.
func TestAReportOfNoRows(t *testing.T) {
	s := Default()
	s.Parts = []string{partTiers}
	res := &Result{Failed: []string{"Core, direct links, 10 gateways: no link"}}
	res.conclude()
	page, err := newReport(&s, res, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(page.HostSections[0].Text, " "); !strings.Contains(text, "Not measured: Core, direct links, 10 gateways: no link.") {
		t.Error(text)
	}
}

// Who failed last does not take the others' results along.
func TestWhatIsNothing(t *testing.T) {
	for what, res := range map[string]*Result{
		"rows":  {Rows: made().Rows},
		"mega":  {Large: Large{Mega: &mega.MegaResult{}}},
		"rooms": {Large: Large{Rooms: &mega.RoomsResult{}}},
	} {
		if res.empty() {
			t.Errorf("%s are nothing", what)
		}
	}
	if !new(Result).empty() {
		t.Error("nothing is something")
	}
}

// What is late or astray is shown, and does not fail the command.
func TestLateAndAstrayAreShown(t *testing.T) {
	s := Default()
	s.Parts = []string{partTiers}
	res := made()
	res.Rows[0].Late, res.Rows[1].Astray = 1, 2
	if problems := res.sound(); len(problems) > 0 {
		t.Error(problems)
	}
	page, err := newReport(&s, res, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, section := range page.HostSections {
		text = append(text, section.Text...)
	}
	for _, want := range []string{"“Late”", "“Links at the core instead of a relay”"} {
		if !strings.Contains(strings.Join(text, " "), want) {
			t.Errorf("it says nothing of %s", want)
		}
	}
}
