package log_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"selvedge/wire"

	corelog "selvedge/core/log"
)

// child is what a process of the tests does with the folder dir.
func child(do, dir string) error {
	ctx := context.Background()
	if do == "member" { // of a cluster, until killed
		return childMember(ctx, dir)
	}
	cfg := config(dir)
	s, err := corelog.Open(ctx, cfg)
	if err != nil {
		return err
	}
	switch do {
	case "append": // until killed; says what is acknowledged
		for i := 0; ; i++ {
			p := post(wire.Channel(fmt.Sprint("room:", i%50)), fmt.Sprint(i))
			placed, err := s.Publish(ctx, "key", p)
			if err != nil {
				return err
			}
			res := s.AppendState(ctx, []corelog.StateAppend{{Record: user(wire.UserID(fmt.Sprint(i)), 1)}})
			if res[0].Err != nil {
				return res[0].Err
			}
			_, _ = fmt.Fprintln(os.Stdout, s.Epoch(), placed.P, placed.Seq, p.Ch, i, res[0].Seq)
		}
	case "full":
		err := fullDisk(ctx, s)
		return errors.Join(err, s.Close())
	}
	return fmt.Errorf("unknown %q", do)
}

func command(t *testing.T, do, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], dir)
	cmd.Env = append(os.Environ(), childEnv+"="+do)
	cmd.Stderr = t.Output()
	return cmd
}

func TestAKilledProcessLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := command(t, "append", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var acked []string
	for lines.Scan() {
		if acked = append(acked, lines.Text()); len(acked) == 1000 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	if len(acked) < 1000 {
		t.Fatalf("the process ended by itself: %q", acked)
	}
	s := open(t, config(dir))
	var last wire.Seq
	for _, line := range acked {
		var (
			epoch, txt, ch string
			p              wire.LogID
			seq            wire.Seq
		)
		if _, err := fmt.Sscan(line, &epoch, &p, &seq, &ch, &txt, &last); err != nil {
			if strings.HasSuffix(line, acked[len(acked)-1]) {
				break // cut by the kill
			}
			t.Fatalf("%q: %v", line, err)
		}
		if epoch != s.Epoch() {
			t.Fatalf("the epoch was %s, and is %s", epoch, s.Epoch())
		}
		frames, _, err := s.ReadChannel(t.Context(), wire.Channel(ch), seq-1, seq, 1, 1)
		if err != nil || len(frames) != 1 || text(t, frames[0].Body) != txt {
			t.Fatalf("frame %d of log %d: %v, err %v", seq, p, frames, err)
		}
	}
	if end := s.End(wire.StateLog); end < last {
		t.Errorf("the state log ends at %d, %d was acknowledged", end, last)
	}
}

func TestAFullDiskIsUnavailableUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	cmd := command(t, "full", t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%s", out)
}

// fullDisk makes writes fail by the limit on the size of files, which counts for
// the whole process, and lifts it.
func fullDisk(ctx context.Context, s *corelog.Store) error {
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	following, stop := context.WithCancel(ctx)
	defer stop()
	followed := make(chan wire.Seq, 1<<16)
	ended := make(chan error, 1)
	const ch = wire.Channel("room:a")
	p := wire.LogOf(ch, s.Logs())
	go func() {
		ended <- s.Follow(following, p, 0, func(batch []corelog.Stored) error {
			for _, st := range batch {
				followed <- st.Seq
			}
			return nil
		})
	}()
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 200 << 10, Max: was.Max}); err != nil {
		return err
	}
	big := post(ch, strings.Repeat("x", 1000))
	var last wire.Seq
	for {
		placed, err := s.Publish(ctx, "key", big)
		if errors.Is(err, corelog.ErrUnavailable) {
			_, _ = fmt.Fprintln(os.Stdout, "after", last, "frames:", err)
			break
		}
		if err != nil {
			return err
		}
		if placed.Seq != last+1 || placed.Seq > 1000 {
			return fmt.Errorf("%d follows %d", placed.Seq, last)
		}
		last = placed.Seq
	}
	if _, err := s.Publish(ctx, "key", big); !errors.Is(err, corelog.ErrUnavailable) {
		return fmt.Errorf("publish on a full disk: %w", err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	epoch := s.Epoch()
	for {
		placed, err := s.Publish(ctx, "key", big)
		if err == nil {
			_, _ = fmt.Fprintln(os.Stdout, "again at", placed.Seq)
			last = placed.Seq
			break
		}
		if !errors.Is(err, corelog.ErrUnavailable) {
			return err
		}
	}
	for want := wire.Seq(1); want <= last; want++ {
		if got := <-followed; got != want {
			return fmt.Errorf("followed %d, want %d", got, want)
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		return fmt.Errorf("follow: %w", err)
	}
	if s.Epoch() != epoch {
		return errors.New("the epoch has changed")
	}
	return nil
}
