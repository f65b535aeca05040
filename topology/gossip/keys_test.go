package gossip

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"selvedge/topology"
)

// keyFile is a KeySource that changes.
type keyFile struct {
	mu   sync.Mutex
	keys [][]byte
}

// fileOf is a file of the keys of some letters.
func fileOf(letters string) *keyFile {
	f := new(keyFile)
	f.write(letters)
	return f
}

func (f *keyFile) write(letters string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys = nil
	for _, l := range letters {
		f.keys = append(f.keys, keyOf(string(l)))
	}
}

func (f *keyFile) Keys() [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keys
}

// A rotation as the manual has it, node by node, while descriptions change all the
// time: nobody is lost, nothing is refused, and the old key is worth nothing then.
func TestKeysRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 6
		c := &simCluster{net: &simNet{oneWay: everywhere(20 * time.Millisecond)}}
		c.start(t, size)
		changed := c.deaths()
		for _, step := range []string{"ob", "bo", "b"} { // add, make first, remove
			for i := range size {
				c.files[i].write(step)
				<-time.After(2 * time.Second)
				c.speak(t, i)
			}
		}
		if n := c.deaths(); n != changed {
			t.Errorf("nodes went or came %d times", n-changed)
		}
		for i, g := range c.nodes {
			if n := g.Refused(RefusedKey); n != 0 {
				t.Errorf("node %d refused %d times", i, n)
			}
		}

		late := c.join(t, "late", fileOf("o"))
		until(t, "the old key is refused", time.Minute, func() bool { return late.LastError() != nil })
		if !strings.Contains(late.LastError().Error(), "--gossip-key") || c.nodes[0].Refused(RefusedKey) == 0 {
			t.Errorf("with the old key: %v, refused %d times", late.LastError(), c.nodes[0].Refused(RefusedKey))
		}
		c.close(t)
	})
}

// One that sends with a key that the others don't have yet is refused by them:
// that is why the manual has three steps.
func TestKeysRotatedInOneStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &simCluster{net: &simNet{oneWay: everywhere(20 * time.Millisecond)}}
		c.start(t, 3)
		c.files[2].write("b")
		await(t, c.nodes[0], "it is taken for dead", time.Minute, func(s topology.Snapshot) bool { return s.Len() == 2 })
		if c.nodes[0].Refused(RefusedKey) == 0 || c.nodes[2].Refused(RefusedKey) == 0 {
			t.Error("nothing was refused")
		}
		c.files[2].write("bo") // and repaired
		for i := range 2 {
			c.files[i].write("ob")
		}
		for _, g := range c.nodes {
			await(t, g, "it is back", time.Minute, func(s topology.Snapshot) bool { return s.Len() == 3 })
		}
		c.close(t)
	})
}

// Keys that can't be used leave the old ones in place, and are told of once.
func TestBadKeysAreNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said lockedBuffer
		c := &simCluster{net: &simNet{oneWay: everywhere(20 * time.Millisecond)}, logger: textLog(&said)}
		c.start(t, 2)
		c.files[0].mu.Lock()
		c.files[0].keys = [][]byte{[]byte("short")}
		c.files[0].mu.Unlock()
		<-time.After(10 * time.Second)
		c.speak(t, 0)
		if n := strings.Count(said.String(), "new gossip keys can't be used"); n != 1 {
			t.Errorf("told %d times:\n%s", n, said.String())
		}
		c.close(t)
	})
}

// Whatever order keys come and go in, the ring has them, the first one first, and
// nobody who opens a packet meanwhile is disturbed (see with -race).
func TestRing(t *testing.T) {
	r, err := newRing([][]byte{keyOf("a")})
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				for _, k := range r.list.GetKeys() {
					if len(k) != 32 {
						t.Error("a key in pieces")
					}
				}
			}
		}
	})
	for _, letters := range []string{"a", "ab", "ba", "b", "bacd", "bd", "dcba", "ca", "e", "abcdefgh", "ha"} {
		var want [][]byte
		for _, l := range letters {
			want = append(want, keyOf(string(l)))
		}
		if _, err := r.take(want); err != nil {
			t.Fatal(err)
		}
		got := slices.Clone(r.list.GetKeys())
		if !bytes.Equal(got[0], want[0]) {
			t.Errorf("%s: the ring begins with %q", letters, got[0])
		}
		slices.SortFunc(got, bytes.Compare)
		slices.SortFunc(want, bytes.Compare)
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%s: the ring is %q", letters, got)
		}
	}
	close(stop)
	readers.Wait()
	if _, err := r.take(nil); err == nil {
		t.Error("no keys were taken")
	}
}
