//go:build unix

package log

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockFolder takes dir for this process until the file is closed, however the
// process ends. The file keeps the process id for the other's error message.
func lockFolder(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, folderError(dir, "made", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "core.lock"), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, folderError(dir, "written", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = f.Close() }() // only read from
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s is %w (pid %s): stop it, or choose another --data", dir, ErrLocked, owner(f))
		}
		return nil, folderError(dir, "locked", err)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		return nil, errors.Join(folderError(dir, "written", err), f.Close())
	}
	return f, nil
}

func owner(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 32))
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return pid
	}
	return "unknown"
}

func folderError(dir, done string, err error) error {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		err = pathErr.Err // the path is in the message already
	}
	return fmt.Errorf("%w %s can't be %s: %w: fix that, or choose another --data", ErrFolder, dir, done, err)
}
