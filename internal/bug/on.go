//go:build bugs

package bug

import (
	"os"
	"time"
)

// On reports whether a defect is put in.
func On(n Name) bool { return os.Getenv(Env) == string(n) }

// Linger makes a window wider in which a defect shows.
func Linger(n Name, d time.Duration) {
	if On(n) {
		<-time.After(d)
	}
}
