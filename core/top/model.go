package top

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"selvedge/core/client"
	"selvedge/core/top/screen"
	"selvedge/topology"
)

const (
	// keepGone is how long a node that is not there any more is shown.
	keepGone = time.Minute
	// slack is how much later than the next one is due a picture is old: a look may
	// take its time, and begin a little late.
	slack = patience + time.Second
)

// model is what a person looks at. It has no clock and does no I/O: it is told
// the time, the keys and what cores answered.
type model struct {
	interval time.Duration // of looks; fixed

	now           time.Time
	width, height int
	order         order
	scroll        int // lines of the body that are above the window
	help          bool
	quit          bool
	err           error // why quit, if it is not for a key

	looks    int                      // that were answered, or failed
	failed   bool                     // nobody answered the last one
	picture  picture                  // the last one; none before the first
	drawn    bool                     // there is one
	problems []answer                 // of the last look: those that failed
	gone     map[topology.NodeID]node // seen before, and not in the picture
}

// tick tells the time.
func (m *model) tick(now time.Time) {
	m.now = now
	for id, n := range m.gone {
		if now.Sub(n.gone) >= keepGone {
			delete(m.gone, id)
		}
	}
}

// looked takes what cores answered. A core that knows nothing of the key, or of
// the question, ends it all: asking again is of no use.
func (m *model) looked(now time.Time, answers []answer) {
	m.tick(now)
	m.looks++
	if err := hopeless(answers); err != nil {
		m.quit, m.err = true, err
		return
	}
	m.problems = slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return a.err == nil })
	p, ok := draw(now, answers)
	if m.failed = !ok; !ok {
		return // the last one stays, and is old
	}
	if m.drawn && slices.Equal(p.epochs, m.picture.epochs) {
		m.miss(p)
	} else {
		m.gone = map[topology.NodeID]node{} // another cluster's, or none
	}
	m.picture, m.drawn = p, true
}

// miss remembers who was in the last picture and is not in p.
func (m *model) miss(p picture) {
	for _, n := range m.picture.nodes {
		n.figures, n.gone = nothing(), p.at
		m.gone[n.ID] = n
	}
	for _, n := range p.nodes {
		delete(m.gone, n.ID)
	}
}

// hopeless is the first answer that will not change by itself, nil = none.
func hopeless(answers []answer) error {
	for _, a := range answers {
		if e, ok := errors.AsType[*client.Error](a.err); ok && e.Status/100 == 4 && e.Status != http.StatusTooManyRequests {
			return a.failure()
		}
	}
	return nil
}

// old says whether nobody tells whether the picture is still true.
func (m *model) old() bool {
	return m.drawn && (m.failed || m.now.Sub(m.picture.at) > m.interval+slack)
}

// resize tells how large the window is.
func (m *model) resize(width, height int) { m.width, m.height = width, height }

// key takes a key.
func (m *model) key(k screen.Key) {
	switch k {
	case "q", "Q", screen.CtrlC:
		m.quit = true
	case "?", "h":
		m.help = !m.help
	case screen.Escape:
		m.help = false
	case screen.Up, "k":
		m.scroll--
	case screen.Down, "j":
		m.scroll++
	case screen.PageUp:
		m.scroll -= m.window()
	case screen.PageDown, " ":
		m.scroll += m.window()
	case screen.Home:
		m.scroll = 0
	case screen.End:
		m.scroll = len(m.body())
	default:
		for i, c := range columns {
			if c.key == k {
				m.order = order{column: i, reverse: m.order.column == i && !m.order.reverse}
			}
		}
	}
	m.scroll = max(min(m.scroll, len(m.body())-m.window()), 0)
}
