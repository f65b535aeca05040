//go:build !bugs

package bug

import "time"

// On reports whether a defect is put in. It never is in this build, and what
// depends on it isn't compiled.
func On(Name) bool { return false }

// Linger makes a window wider in which a defect shows. In this build it does
// nothing.
func Linger(Name, time.Duration) {}
