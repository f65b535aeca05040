package roster

import (
	"cmp"
	"encoding/binary"
	"strings"

	"github.com/google/btree"
)

// index has the users of all sets in the orders that searches need.
type index struct {
	names *btree.BTreeG[entry] // by name, then id
	ids   *btree.BTreeG[*user] // by folded id, then id
	words *btree.BTreeG[word]  // by the rest of the name from the word on
}

// entry is a user under its name. Where entries differ in their keys, nothing
// else has to be fetched to compare them.
type entry struct {
	key uint64 // the first bytes of the name
	u   *user
}

// word is a word in the name of a user, but for its beginning.
type word struct {
	key uint64 // the first bytes of the word, and of what follows
	u   *user
	at  int
}

func named(u *user) entry         { return entry{keyOf(u.name), u} }
func wordAt(u *user, at int) word { return word{keyOf(u.name[at:]), u, at} }
func (w word) text() string       { return w.u.name[w.at:] }

// keyOf is the beginning of a text as a number: texts are in the order of their
// numbers, where these differ.
func keyOf(text string) uint64 {
	var b [8]byte
	copy(b[:], text)
	return binary.BigEndian.Uint64(b[:])
}

// treeDegree makes nodes of up to 63 entries.
const treeDegree = 32

func newIndex() index {
	return index{
		names: btree.NewG(treeDegree, func(a, b entry) bool {
			if a.key != b.key {
				return a.key < b.key
			}
			return a.u.byName(b.u) < 0
		}),
		ids: btree.NewG(treeDegree, func(a, b *user) bool {
			if c := strings.Compare(a.folded, b.folded); c != 0 {
				return c < 0
			}
			return a.id < b.id
		}),
		words: btree.NewG(treeDegree, func(a, b word) bool {
			if a.key != b.key {
				return a.key < b.key
			}
			if c := strings.Compare(a.text(), b.text()); c != 0 {
				return c < 0
			}
			return cmp.Or(strings.Compare(string(a.u.id), string(b.u.id)), cmp.Compare(a.at, b.at)) < 0
		}),
	}
}

// newTree is for the members of a room.
func newTree() *btree.BTreeG[*user] {
	return btree.NewWithFreeListG(treeDegree, func(a, b *user) bool { return a.id < b.id }, noSpares)
}

// noSpares keeps no nodes: every room would have its own spare ones.
var noSpares = btree.NewFreeListG[*user](0)

func (u *user) byName(v *user) int {
	if c := strings.Compare(u.name, v.name); c != 0 {
		return c
	}
	return strings.Compare(string(u.id), string(v.id))
}

func (x *index) insert(u *user) {
	x.names.ReplaceOrInsert(named(u))
	x.ids.ReplaceOrInsert(u)
	words(u.name, func(at int) bool {
		x.words.ReplaceOrInsert(wordAt(u, at))
		return true
	})
}

func (x *index) remove(u *user) {
	x.names.Delete(named(u))
	x.ids.Delete(u)
	words(u.name, func(at int) bool {
		x.words.Delete(wordAt(u, at))
		return true
	})
}
