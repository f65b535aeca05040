package session

import (
	"slices"

	"selvedge/wire"
)

// freshShare is the part of a question that hellos of sessions which begin afresh
// keep, 1 in so many, while more wait than one question takes.
const freshShare = 4

// greetings are those that wait for a question, in the order of their coming. Of
// more than go into one, those that resume go first: they have a screen that
// stands still, and what they miss grows. Whoever is new keeps a quarter, since a
// cursor is easily made up. The zero value is empty.
type greetings struct{ back, fresh []*greeting }

func (gs *greetings) len() int { return len(gs.back) + len(gs.fresh) }

func (gs *greetings) add(more ...*greeting) {
	for _, g := range more {
		list := gs.list(g)
		*list = append(*list, g)
	}
}

// again puts those in front that had their turn, and no answer.
func (gs *greetings) again(rest []*greeting) {
	var first greetings
	first.add(rest...)
	gs.back = append(first.back, gs.back...)
	gs.fresh = append(first.fresh, gs.fresh...)
}

// take takes as many as one question asks for.
func (gs *greetings) take() []*greeting {
	fresh := min(len(gs.fresh), max(wire.MaxHellos/freshShare, wire.MaxHellos-len(gs.back)))
	back := cut(&gs.back, min(len(gs.back), wire.MaxHellos-fresh))
	if fresh == 0 {
		return back
	}
	return append(back, cut(&gs.fresh, fresh)...)
}

// cut takes the first n of a list.
func cut(list *[]*greeting, n int) []*greeting {
	first := (*list)[:n:n]
	if *list = (*list)[n:]; len(*list) == 0 {
		*list = nil
	}
	return first
}

// expire takes out those that late says.
func (gs *greetings) expire(late func(*greeting) bool) {
	gs.back = slices.DeleteFunc(gs.back, late)
	gs.fresh = slices.DeleteFunc(gs.fresh, late)
}

func (gs *greetings) list(g *greeting) *[]*greeting {
	if g.fresh() {
		return &gs.fresh
	}
	return &gs.back
}
