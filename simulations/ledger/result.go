package ledger

import (
	"fmt"
	"slices"
	"strings"

	"selvedge/wire"
)

// Result is the account of a run.
type Result struct {
	Acknowledged int `json:"acknowledged"` // messages
	Expected     int `json:"expected"`     // deliveries: each acknowledged message to each of those who were to have it
	Delivered    int `json:"delivered"`    // of these
	Lost         int `json:"lost"`
	Duplicated   int `json:"duplicated"`
	OutOfOrder   int `json:"out_of_order"`
	// Gone are those that a gap was told for, in place of a delivery.
	Gone int `json:"gone"`
	// FalseGaps were told as gone, and delivered all the same.
	FalseGaps int `json:"false_gaps"`
	// EmptyGaps are gaps in which nothing was.
	EmptyGaps int `json:"empty_gaps"`
	// Uninvited were acknowledged before their reader asked to join: what is from
	// before a join is not the reader's.
	Uninvited int `json:"uninvited"`
	// Optional were delivered though they need not have been, since their reader
	// was joining or leaving: allowed, at most once.
	Optional int `json:"optional"`
	// Unacknowledged were delivered though nobody had the acknowledgement:
	// allowed, at most once.
	Unacknowledged int `json:"unacknowledged"`
}

// Kept reports whether every promise was.
func (r Result) Kept() bool {
	return r.Lost+r.Duplicated+r.OutOfOrder+r.FalseGaps+r.EmptyGaps+r.Uninvited == 0
}

func (r Result) String() string {
	said := []string{fmt.Sprintf("%d acknowledged, %d of %d delivered, %d lost, %d duplicated, %d out of order",
		r.Acknowledged, r.Delivered, r.Expected, r.Lost, r.Duplicated, r.OutOfOrder)}
	for _, more := range []struct {
		n    int
		what string
	}{{r.Gone, "gone and told so"}, {r.FalseGaps, "told as gone and delivered"}, {r.EmptyGaps, "gaps in which nothing was"}, {r.Uninvited, "from before a join"}} {
		if more.n > 0 {
			said = append(said, fmt.Sprintf("%d %s", more.n, more.what))
		}
	}
	return strings.Join(said, ", ")
}

// Result is the account so far.
func (l *Ledger) Result() Result {
	r, _ := l.judge(0)
	return r
}

// Problems names promises that were broken, most most of them.
func (l *Ledger) Problems(most int) []string {
	_, problems := l.judge(most)
	return problems
}

func (l *Ledger) judge(most int) (Result, []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := judge{most: most}
	for ch, a := range l.channels {
		for _, ok := range a.acked {
			if ok {
				j.Acknowledged++
			}
		}
		for client, b := range a.readers {
			j.where = fmt.Sprintf("%s, %s", client, ch)
			j.book(a, b)
		}
	}
	slices.Sort(j.problems)
	return j.Result, j.problems
}

// judge goes over books.
type judge struct {
	Result
	most     int
	problems []string
	where    string
}

// broken counts a promise that is.
func (j *judge) broken(count *int, what string, n int, at wire.Seq) {
	*count++
	if len(j.problems) < j.most {
		j.problems = append(j.problems, fmt.Sprintf("%s: number %d (seq %d) %s", j.where, n, at, what))
	}
}

func (j *judge) book(a *account, b *book) {
	count := max(len(a.acked), len(b.seen))
	needs, invited := b.needs(a, count)
	for n := range count {
		acked := n < len(a.acked) && a.acked[n]
		times, at := b.times(n), a.at[n]
		switch {
		case acked && times > 0 && n < invited:
			j.broken(&j.Uninvited, "is from before a join", n, at)
		case times > 0 && b.told(at):
			j.broken(&j.FalseGaps, "was told as gone, and delivered", n, at)
		}
		switch {
		case acked && needs[n] && times > 0:
			j.Expected++
			j.Delivered++
		case acked && needs[n] && b.told(at):
			j.Expected++
			j.Gone++
		case acked && needs[n]:
			j.Expected++
			j.broken(&j.Lost, "is lost", n, at)
		case acked && times > 0:
			j.Optional++
		case times > 0:
			j.Unacknowledged++
		}
		if slices.Contains(a.twice, n) {
			times--
		}
		for range times - 1 {
			j.broken(&j.Duplicated, "came again", n, at)
		}
	}
	j.order(a, b)
	j.gaps(a, b)
}

// gaps looks for those in which nothing was. Where something was published
// without an answer, nobody knows: it may have been there.
func (j *judge) gaps(a *account, b *book) {
	if len(a.at) < a.begun {
		return
	}
	for _, g := range b.gaps {
		empty := true
		for _, at := range a.at {
			empty = empty && (at < g.from || at > g.to)
		}
		if !empty {
			continue
		}
		j.EmptyGaps++
		if len(j.problems) < j.most {
			j.problems = append(j.problems, fmt.Sprintf("%s: a gap from %d to %d, where nothing was", j.where, g.from, g.to))
		}
	}
}

// order looks for numbers that came after higher ones. Those that nobody has the
// acknowledgement of have no order: they may have been taken any time later.
func (j *judge) order(a *account, b *book) {
	highest := -1
	for _, n := range b.order {
		if n >= len(a.acked) || !a.acked[n] {
			continue
		}
		if n < highest {
			j.broken(&j.OutOfOrder, fmt.Sprintf("came after number %d", highest), n, a.at[n])
			continue
		}
		highest = n
	}
}
