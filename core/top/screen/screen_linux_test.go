package screen

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// terminal is a pseudo terminal: what is written to the person's side is typed.
func terminal(t *testing.T) (person *os.File, name string) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	raw, err := person.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var number int
	var failed error
	if err := raw.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed != nil {
			return
		}
		if number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN); failed != nil {
			return
		}
		failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	return person, fmt.Sprintf("/dev/pts/%d", number)
}

// shown reads what the terminal is told until want is there.
func shown(t *testing.T, person *os.File, want string) string {
	t.Helper()
	if err := person.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	buf := make([]byte, 4096)
	for !strings.Contains(all.String(), want) { // what was typed and not read may be echoed after it
		n, err := person.Read(buf)
		all.Write(buf[:n])
		if err != nil {
			t.Fatalf("%v, after %q, which has no %q", err, all.String(), want)
		}
	}
	return all.String()
}

// settings are a terminal's, as text to compare.
func settings(t *testing.T, name string) string {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // it was looked at only
	s, err := term.GetState(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(*s)
}

func TestScreen(t *testing.T) {
	person, name := terminal(t)
	before := settings(t, name)
	s, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	shown(t, person, enter)
	if w, h, err := s.Size(); w != 80 || h != 24 || err != nil {
		t.Errorf("%d columns, %d lines, %v", w, h, err)
	}
	draw := func(want string, lines ...string) {
		t.Helper()
		if err := s.Draw(append(lines, "end")); err != nil {
			t.Fatal(err)
		}
		if want == "" {
			return
		}
		if got := shown(t, person, want); got != want {
			t.Errorf("%q is told, want %q", got, want)
		}
	}
	draw("\x1b[1;1H\x1b[Ka\x1b[2;1H\x1b[Kb\x1b[3;1H\x1b[Kend", "a", "b")
	draw("", "a", "b") // nothing has changed
	draw("\x1b[2;1H\x1b[KB", "a", "B")
	draw("\x1b[2;1H\x1b[Kend\x1b[3;1H\x1b[J", "a")
	if err := s.Clear(); err != nil {
		t.Fatal(err)
	}
	draw(clear+"\x1b[1;1H\x1b[Ka\x1b[2;1H\x1b[Kend", "a")

	if _, err := person.WriteString("q\x1b[A\x03"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []Key{"q", Up, CtrlC} {
		if k := <-s.Keys(); k != want {
			t.Errorf("key %q, want %q", k, want)
		}
	}
	if during := settings(t, name); during == before {
		t.Error("the terminal waits for whole lines")
	}
	if _, err := person.WriteString("xyz"); err != nil { // nobody reads these
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, open := <-s.Keys(); open {
		t.Error("there are keys after the end")
	}
	shown(t, person, leave)
	if after := settings(t, name); after != before {
		t.Errorf("the terminal is left as %v, it was %v", after, before)
	}
}

// A terminal whose window is closed ends the keys.
func TestGone(t *testing.T) {
	person, name := terminal(t)
	s, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := person.Close(); err != nil {
		t.Fatal(err)
	}
	for range s.Keys() {
		t.Error("a key")
	}
	if err := s.Close(); err == nil {
		t.Error("it was given back")
	}
}

func TestNoTerminal(t *testing.T) {
	for _, name := range []string{os.DevNull, "/none"} {
		if s, err := Open(name); err == nil {
			t.Errorf("%s is a terminal", name)
			_ = s.Close()
		}
	}
}
