//go:build !linux

package transport

import (
	"errors"
	"runtime"
)

// NewEpoll fails here: epoll is Linux's.
func NewEpoll(Config) (Loop, error) {
	return nil, errors.New("transport epoll is for Linux, this is " + runtime.GOOS + ": use transport portable")
}

func push(int, []byte) (int, error) { return 0, errors.ErrUnsupported }
