package session

import (
	"runtime"
	"sync"

	"selvedge/wire"
)

// helloSpace is the memory that the answer for a batch of hellos lies in, some 60
// KB for a large one: the next batch of a storm uses it again. It is taken when the
// answer comes: most of the time a batch waits for that. The zero value is ready
// to use.
type helloSpace struct{ answer *[]byte }

var helloSpaces = sync.Pool{New: func() any { return new([]byte) }}

// maxHelloSpace is the largest answer whose memory is kept, in bytes.
const maxHelloSpace = 256 << 10

// take is for Query.Space, which asks again if a link breaks.
func (sp *helloSpace) take(int) []byte {
	if sp.answer == nil {
		sp.answer = helloSpaces.Get().(*[]byte)
	}
	return *sp.answer
}

// keep has the memory of an answer that did not fit used again.
func (sp *helloSpace) keep(answer wire.Data) {
	if sp.answer != nil && cap(answer) > cap(*sp.answer) && cap(answer) <= maxHelloSpace {
		*sp.answer = answer
	}
}

// reuse gives the space back. Nothing in it may be used any more.
func (sp *helloSpace) reuse() {
	if sp.answer != nil {
		helloSpaces.Put(sp.answer)
		sp.answer = nil
	}
}

// newHelloReaders is hellos.readers.
func newHelloReaders() chan *wire.HelloReader {
	n := runtime.GOMAXPROCS(0)
	c := make(chan *wire.HelloReader, n)
	for range n {
		c <- new(wire.HelloReader)
	}
	return c
}
