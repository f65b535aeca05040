//go:build !linux

package mega

import (
	"errors"
	"runtime"
)

// thisMachine fails here.
func thisMachine() (limits, error) {
	return limits{}, errors.New("measurements are for Linux, this is " + runtime.GOOS)
}
