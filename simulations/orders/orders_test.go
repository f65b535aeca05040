package orders

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// sum orders to add numbers.
type sum struct {
	Do string
	Of []int
}

func (o sum) String() string { return o.Do }

// TestMain makes this test's binary a worker, where it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != "obey" {
		// Under the race detector, processes would linger for a second.
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0")
		goleak.VerifyTestMain(m)
		return
	}
	if err := Obey(context.Background(), os.Stdin, os.Stdout, obey); err != nil {
		_, _ = fmt.Fprint(os.Stderr, err)
		os.Exit(1)
	}
	if len(os.Args) > 2 {
		meet(os.Args[2])
	}
	os.Exit(0)
}

// meet waits until somebody at addr says that all are there.
func meet(addr string) {
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		_, err = io.Copy(io.Discard, conn)
	}
	if err != nil {
		_, _ = fmt.Fprint(os.Stderr, err)
		os.Exit(1)
	}
}

func obey(_ context.Context, o sum) (total int, err error) {
	for _, n := range o.Of {
		total += n
	}
	switch o.Do {
	case "die":
		_, _ = fmt.Fprint(os.Stderr, "I die")
		os.Exit(3)
	case "sleep":
		<-time.After(time.Hour)
	case "fail":
		err = errors.New("too hard")
	}
	return total, err
}

func testTeam(t *testing.T, n int, args ...string) Team[sum, int] {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	team, err := StartTeam[sum, int](n, binary, append([]string{"obey"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return team
}

func TestOrdersAreObeyed(t *testing.T) {
	team := testTeam(t, 3)
	for range 3 {
		words, err := team.Each(t.Context(), func(i int) sum { return sum{"add", []int{i, 10}} })
		if err != nil || fmt.Sprint(words) != "[10 11 12]" {
			t.Errorf("%v, %v", words, err)
		}
	}
	// What failed is said, with what came of it, and the next order is obeyed.
	if got, err := team[1].Ask(t.Context(), sum{"fail", []int{1, 2}}); err == nil || err.Error() != "fail: too hard" || got != 3 {
		t.Errorf("%d, %v", got, err)
	}
	if got, err := team[1].Ask(t.Context(), sum{"add", []int{4}}); err != nil || got != 4 {
		t.Errorf("%d, %v", got, err)
	}
	if err := team.Stop(); err != nil {
		t.Error(err)
	}
}

func TestAWorkerThatDiesIsTold(t *testing.T) {
	team := testTeam(t, 1)
	if _, err := team[0].Ask(t.Context(), sum{Do: "die"}); err == nil || !strings.Contains(err.Error(), "die") {
		t.Errorf("asked: %v", err)
	}
	if err := team.Stop(); err == nil || !strings.Contains(err.Error(), "I die") {
		t.Errorf("stopped: %v", err)
	}
}

// Nobody waits for a worker when there is no time left, or another has failed.
func TestAWorkerThatIsNotWaitedForIsKilled(t *testing.T) {
	team := testTeam(t, 2)
	_, err := team.Each(t.Context(), func(i int) sum { return sum{Do: []string{"sleep", "fail"}[i]} })
	if err == nil {
		t.Error("one failed, and nothing is told")
	}
	if err := team.Stop(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("stopped: %v", err)
	}
}

// Workers that take their time to end take it together: each of these waits for the
// other one.
func TestAllAreStoppedAtOnce(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	met := make(chan error, 1)
	go func() {
		one, err := ln.Accept()
		if err == nil {
			defer func() { _ = one.Close() }()
			var two net.Conn
			if two, err = ln.Accept(); err == nil {
				err = two.Close()
			}
		}
		met <- err
	}()
	if err := testTeam(t, 2, ln.Addr().String()).Stop(); err != nil {
		t.Error(err)
	}
	if err := errors.Join(ln.Close(), <-met); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoOrderEndsIt(t *testing.T) {
	for _, in := range []string{"{", "1\n"} {
		var out bytes.Buffer
		if err := Obey(t.Context(), strings.NewReader(in), &out, obey); in == "{" && err != nil || in != "{" && err == nil {
			t.Errorf("%q: %v", in, err)
		}
		if out.Len() > 0 {
			t.Errorf("%q: said %s", in, &out)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Obey(ctx, strings.NewReader("{}\n"), &bytes.Buffer{}, obey); err != nil {
		t.Error(err)
	}
}
