package screen

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

// TTY is the terminal that a process was started from.
const TTY = "/dev/tty"

// What terminals are told (xterm's control sequences; ECMA-48).
const (
	enter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J" // the other screen, no cursor, no wrapping
	leave = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	clear = "\x1b[2J"
)

// Screen is a terminal that shows nothing but what is drawn. Keys and Resized
// are safe for use beside Draw and Size, which are for one goroutine.
type Screen struct {
	tty     *os.File
	before  *term.State
	keys    chan Key // closed by read
	resized chan os.Signal
	closing chan struct{} // closed by Close
	drawn   []string      // what the terminal shows
}

// Open takes over the terminal of that name, until Close. It fails if there is
// none, or if it is no terminal.
func Open(name string) (*Screen, error) {
	tty, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the terminal: %w", err)
	}
	s := &Screen{tty: tty, keys: make(chan Key), resized: make(chan os.Signal, 1), closing: make(chan struct{})}
	if err := s.control(func(fd int) (err error) {
		s.before, err = term.MakeRaw(fd)
		return err
	}); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), tty.Close())
	}
	if _, err := tty.WriteString(enter); err != nil {
		return nil, errors.Join(err, s.restore(), tty.Close())
	}
	signal.Notify(s.resized, syscall.SIGWINCH)
	go s.read()
	return s, nil
}

// Keys are the keys that are typed. It is closed when the terminal is gone.
func (s *Screen) Keys() <-chan Key { return s.keys }

// Resized tells that Size may have changed.
func (s *Screen) Resized() <-chan os.Signal { return s.resized }

// Size is how many columns and lines there are.
func (s *Screen) Size() (width, height int, err error) {
	err = s.control(func(fd int) (err error) {
		width, height, err = term.GetSize(fd)
		return err
	})
	return width, height, err
}

// Draw shows lines and nothing else. They may have colours, if each ends
// without; what does not fit is not shown.
func (s *Screen) Draw(lines []string) error {
	var b bytes.Buffer
	for i, line := range lines {
		if i >= len(s.drawn) || s.drawn[i] != line {
			// Erased before it is written: behind the last column, it would be erased too.
			fmt.Fprintf(&b, "\x1b[%d;1H\x1b[K%s", i+1, line)
		}
	}
	if len(s.drawn) > len(lines) {
		fmt.Fprintf(&b, "\x1b[%d;1H\x1b[J", len(lines)+1)
	}
	s.drawn = append(s.drawn[:0], lines...)
	_, err := s.tty.Write(b.Bytes())
	return err
}

// Clear has the next Draw draw everything: terminals move things when resized.
func (s *Screen) Clear() error {
	s.drawn = s.drawn[:0]
	_, err := s.tty.WriteString(clear)
	return err
}

// Close gives the terminal back as it was.
func (s *Screen) Close() error {
	signal.Stop(s.resized)
	close(s.closing)
	// Where terminals can't be polled (macOS), read stays behind until a key comes.
	if err := s.tty.SetReadDeadline(time.Unix(1, 0)); err == nil {
		for range s.keys { // until it has ended
		}
	}
	_, err := s.tty.WriteString(leave)
	return errors.Join(err, s.restore(), s.tty.Close())
}

func (s *Screen) restore() error {
	return s.control(func(fd int) error { return term.Restore(fd, s.before) })
}

// control hands f the terminal's descriptor, without making its reads block.
func (s *Screen) control(f func(fd int) error) error {
	raw, err := s.tty.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// read reads keys until Close, or until the terminal is gone.
func (s *Screen) read() {
	defer close(s.keys)
	buf := make([]byte, 0, 256)
	for {
		n, err := s.tty.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		rest := buf
		for {
			k, size := next(rest)
			if size == 0 {
				break
			}
			rest = rest[size:]
			select {
			case s.keys <- k:
			case <-s.closing:
				return
			}
		}
		buf = append(buf[:0], rest...)
		if err != nil {
			return
		}
	}
}
