//go:build !linux

package limits

import (
	"errors"
	"runtime"
)

// Here fails.
func Here() (Limits, error) {
	return Limits{}, errors.New("measurements are for Linux, this is " + runtime.GOOS)
}
