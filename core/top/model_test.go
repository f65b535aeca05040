package top

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"selvedge/core/client"
	"selvedge/core/top/screen"
	"selvedge/topology"
)

func TestLettersSort(t *testing.T) {
	for _, test := range []struct {
		keys []screen.Key
		want string
	}{
		{nil, "asia seoul tokyo eu oslo paris us-east core-1 core-2"},
		{[]screen.Key{"n"}, "us-east core-2 core-1 eu paris oslo asia tokyo seoul"},
		{[]screen.Key{"n", "n"}, "asia seoul tokyo eu oslo paris us-east core-1 core-2"},
		{[]screen.Key{"l"}, "eu oslo paris asia tokyo seoul us-east core-1 core-2"},
		// Who has no figure is last, either way.
		{[]screen.Key{"l", "l"}, "asia seoul tokyo eu paris oslo us-east core-1 core-2"},
		{[]screen.Key{"r"}, "asia tokyo seoul eu oslo paris us-east core-1 core-2"},
		{[]screen.Key{"p"}, "asia seoul tokyo eu oslo paris us-east core-1 core-2"},
		{[]screen.Key{"t"}, "asia tokyo seoul eu oslo paris us-east core-1 core-2"},
		{[]screen.Key{"g"}, "eu paris oslo asia tokyo seoul us-east core-1 core-2"},
		{[]screen.Key{"x"}, "asia seoul tokyo eu oslo paris us-east core-1 core-2"},
	} {
		m := looking(two(), 140, 24)
		press(m, test.keys...)
		if got := strings.Join(names(m), " "); got != test.want {
			t.Errorf("after %q:\n%s\nwant\n%s", test.keys, got, test.want)
		}
	}
}

// Each letter stands in its title and does nothing else, and each column has a
// name of its own.
func TestColumnsHaveKeys(t *testing.T) {
	letters, names := map[screen.Key]bool{}, map[string]bool{}
	for _, c := range columns {
		if letters[c.key] || names[c.name] || !strings.Contains(c.title, strings.ToUpper(string(c.key))) {
			t.Errorf("column %s: key %q", c.name, c.key)
		}
		letters[c.key], names[c.name] = true, true
		m := looking(two(), 140, 24)
		press(m, c.key)
		if m.quit || m.help || columns[m.order.column].name != c.name {
			t.Errorf("key %q does not sort by %s", c.key, c.name)
		}
	}
}

func TestKeysQuitAndHelp(t *testing.T) {
	for _, k := range []screen.Key{"q", "Q", screen.CtrlC} {
		if m := looking(two(), 80, 24); !m.quit {
			press(m, k)
			if !m.quit || m.err != nil {
				t.Errorf("%q: quit %t, %v", k, m.quit, m.err)
			}
		}
	}
	m := looking(two(), 80, 24)
	press(m, "?")
	shows(t, m, true, "written to its sockets", "q quit")
	shows(t, m, false, "tokyo")
	press(m, screen.Escape)
	shows(t, m, true, "tokyo")
	if m.quit {
		t.Error("it ended")
	}
}

func TestScroll(t *testing.T) {
	m := looking(two(), 80, 13) // the table has 15 lines, and 7 are seen
	first := func() string {
		return strings.Fields(strings.Split(window(m), "\n")[5])[0]
	}
	for _, step := range []struct {
		key   screen.Key
		first string
		foot  string
	}{
		{screen.Up, "asia", "1-7 of 15"},
		{screen.Down, "seoul", "2-8 of 15"},
		{screen.PageDown, "core-2", "9-15 of 15"},
		{screen.Down, "core-2", "9-15 of 15"},
		{screen.PageUp, "seoul", "2-8 of 15"},
		{screen.Home, "asia", "1-7 of 15"},
		{screen.End, "core-2", "9-15 of 15"},
	} {
		press(m, step.key)
		if got := first(); got != step.first {
			t.Errorf("after %q the first is %s, want %s", step.key, got, step.first)
		}
		shows(t, m, true, step.foot, "NODE▲")
	}
	m.resize(80, 40) // nothing is scrolled away that has room
	shows(t, m, true, "asia", "seoul", "RELAYS")
}

// Of a core that is gone the last picture stays, and says that it is old; when
// the core is back, it does not.
func TestTheLastPictureGetsOld(t *testing.T) {
	m := looking(two(), 80, 30)
	m.tick(noon.Add(5 * time.Second))
	shows(t, m, false, "OLD")
	m.tick(noon.Add(5*time.Second + time.Millisecond)) // nobody has answered, nor failed
	shows(t, m, true, "OLD: this is how it was 5s ago", "paris")

	m.looked(noon.Add(5*time.Second), two())
	shows(t, m, false, "OLD")
	m.looked(noon.Add(6*time.Second), gone())
	shows(t, m, true, "OLD: this is how it was 1s ago", "connection refused", "paris", "12:00:05")
	m.tick(noon.Add(66 * time.Second))
	shows(t, m, true, "OLD: this is how it was 1m01s ago", "paris")
	if m.quit {
		t.Error("it ended")
	}
	m.looked(noon.Add(67*time.Second), two())
	shows(t, m, false, "OLD", "refused", "gone")
}

func TestACoreThatNeverAnswered(t *testing.T) {
	m := &model{interval: time.Second}
	m.resize(80, 24)
	m.tick(noon)
	shows(t, m, true, "asking", "q quit")
	m.looked(noon, gone())
	shows(t, m, true, "connection refused", "trying on")
	shows(t, m, false, "asking", "OLD", "NODE")
	m.looked(noon, two())
	shows(t, m, true, "paris")
}

// One of two cores is gone: what the other knows is true, and not old.
func TestOneCoreOfTwo(t *testing.T) {
	answers := two()
	answers[0] = gone()[0]
	m := looking(answers, 80, 30)
	shows(t, m, true, "connection refused", "1 core, 4 edges", "core-2")
	shows(t, m, false, "OLD", "core-1")
	answers[0] = two()[0]
	answers[0].cluster.Epoch = "e2"
	m.looked(noon, answers)
	shows(t, m, true, "not of one cluster", "e2, e1")
}

// A node that goes is shown for a minute.
func TestANodeThatGoes(t *testing.T) {
	m := looking(two(), 140, 30)
	m.looked(noon.Add(time.Second), without(two(), "oslo"))
	if got := names(m); !slices.Contains(got, "oslo") {
		t.Errorf("it is not shown: %v", got)
	}
	shows(t, m, true, "oslo    edge  gone", "1/2       0.30") // it counts for nothing
	m.looked(noon.Add(2*time.Second), without(two(), "oslo"))
	m.tick(noon.Add(time.Second + keepGone - 1))
	shows(t, m, true, "oslo")
	m.tick(noon.Add(time.Second + keepGone))
	if got := names(m); slices.Contains(got, "oslo") {
		t.Errorf("it is shown still: %v", got)
	}

	m.looked(noon, without(two(), "paris"))
	m.looked(noon, two())
	shows(t, m, false, "gone")
	m.looked(noon, without(two(), "paris"))
	other := two()
	for i := range other {
		other[i].cluster.Epoch = "e2"
	}
	m.looked(noon, without(other, "paris")) // who is not there does not miss there
	shows(t, m, false, "gone", "paris   edge")
}

// What asking again won't change ends it, with one error.
func TestHopeless(t *testing.T) {
	refuse := func(status int) answer {
		return answer{url: "http://a", err: &client.Error{Status: status, Message: "the API key is not known"}}
	}
	for status, ends := range map[int]bool{
		http.StatusUnauthorized: true, http.StatusForbidden: true, http.StatusNotFound: true,
		http.StatusTooManyRequests: false, http.StatusServiceUnavailable: false, http.StatusInternalServerError: false,
	} {
		m := looking([]answer{two()[0], refuse(status)}, 80, 24)
		if m.quit != ends || (m.err != nil) != ends {
			t.Errorf("%d: quit %t, %v", status, m.quit, m.err)
		}
		if e, ok := errors.AsType[*client.Error](m.err); ends && (!ok || !strings.HasPrefix(m.err.Error(), "http://a: the API key") || e.Status != status) {
			t.Errorf("%d: %v", status, m.err)
		}
	}
}

func TestStatesOfNodes(t *testing.T) {
	answers := two()[:1]
	answers[0].cluster.Nodes[2].State = topology.StateDraining
	m := looking(answers, 140, 30)
	shows(t, m, true, "1 starting", "1 draining", "paris   edge  draining")
}
