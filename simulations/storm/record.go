package storm

import (
	"fmt"
	"sync"
	"time"

	"selvedge/edge/client"
	"selvedge/simulations/ledger"
)

// record is what members see, of one process or one bubble. Safe for concurrent use.
type record struct {
	now  func() time.Duration // fixed: a clock that all parts of the run share
	book *ledger.Ledger       // fixed

	mu       sync.Mutex
	members  []*member
	welcomed int // members that were, at least once
	away     int // of these, those that know that they are not connected
	trips    []Trip
	returned int             // members that do not stay and have ended a trip
	tries    []time.Duration // of members that were welcome before
	late     []Lateness
	messages int // to all members
	problem  error
}

// Lateness is how long a message took to a member whose edge lives.
type Lateness struct {
	At   time.Duration `json:"at"` // when it was sent
	Took time.Duration `json:"took"`
}

func newRecord(now func() time.Duration) *record { return &record{now: now, book: ledger.New()} }

func (r *record) delivered(m *member, sent time.Duration) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages++
	if m.stays {
		r.late = append(r.late, Lateness{sent, now - sent})
	}
}

// fail notes what should never happen; the first counts.
func (r *record) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.problem == nil {
		r.problem = err
	}
}

func (r *record) violated(m *member, v client.Violation) {
	r.fail(fmt.Errorf("%s found a hole in %s after %d", m.user, v.Ch, v.Covered))
}

// state is how many members were welcome so far, how many are away, and how many
// messages came.
func (r *record) state() (welcomed, away, messages int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.welcomed, r.away, r.messages
}

// sound says what should never have happened.
func (r *record) sound() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.problem != nil {
		return r.problem
	}
	for _, m := range r.members {
		if m.ended != nil {
			return fmt.Errorf("%s has given up: %w", m.user, m.ended)
		}
	}
	return nil
}

// clear forgets what came before the storm.
func (r *record) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trips, r.tries, r.returned = nil, nil, 0
	for _, m := range r.members {
		m.returned = false
	}
}

// journeys are the trips that have ended, and the tries of all.
func (r *record) journeys() (trips []Trip, tries []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trips, r.tries
}
