package bubble

import "runtime"

// spare is how much garbage may come together before it is collected, in bytes.
const spare = 512 << 20

// economize lets bubbles take as little of this machine's time as they can, until the
// returned function is called.
//
// Nearly all that happens in a bubble happens one thing after the other, each waking
// the next: a second CPU only adds the way from one to the other. And a small
// world makes a lot of garbage beside the little that it keeps. Memory that nobody
// touches, which takes no place but counts as kept, lets it be collected seldom; a
// large world is collected as ever.
func economize() (undo func()) {
	cpus := runtime.GOMAXPROCS(1)
	kept := make([]byte, spare)
	return func() {
		runtime.GOMAXPROCS(cpus)
		runtime.KeepAlive(kept)
	}
}
