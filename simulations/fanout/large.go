package fanout

import (
	"context"
	"slices"

	"selvedge/internal/config"
	"selvedge/simulations/mega"
	"selvedge/simulations/report"
)

// Parts of a run, in the order of a report.
const (
	partTiers = "tiers"
	partMega  = "mega"
	partRooms = "rooms"
)

var allParts = []string{partTiers, partMega, partRooms}

// Large is what the parts with many members showed; nil = not measured.
type Large struct {
	Mega  *mega.MegaResult  `json:"mega,omitempty"`
	Rooms *mega.RoomsResult `json:"rooms,omitempty"`
}

// does reports whether a part is measured.
func (s *Scenario) does(part string) bool { return slices.Contains(s.Parts, part) }

// empty reports whether nothing was measured.
func (res *Result) empty() bool { return len(res.Rows) == 0 && res.Mega == nil && res.Rooms == nil }

// fitsLarge reports why the large parts don't fit on this machine, with the
// arithmetic.
func (s *Scenario) fitsLarge() error {
	var channel *mega.Channel
	var rooms *mega.Rooms
	if s.does(partMega) {
		channel = &s.Mega
	}
	if s.does(partRooms) {
		rooms = &s.Rooms
	}
	return mega.Fits(channel, rooms)
}

// large measures the large parts, one after the other.
func (c *Command) large(ctx context.Context, stdio *config.IO, s *Scenario) (l Large, err error) {
	stage := mega.Stage{Seed: c.Seed, Stderr: stdio.Stderr, Patience: c.Patience, Lose: c.Lose}
	if s.does(partMega) {
		if l.Mega, err = mega.RunMega(ctx, stage, s.Mega); err != nil {
			return l, err
		}
	}
	if s.does(partRooms) {
		l.Rooms, err = mega.RunRooms(ctx, stage, s.Rooms)
	}
	return l, err
}

// report adds them to a report.
func (l *Large) report(r *report.Report) error {
	if l.Mega != nil {
		sections, err := l.Mega.Sections()
		if err != nil {
			return err
		}
		r.HostSections, r.Key = append(r.HostSections, sections...), append(r.Key, l.Mega.Keys()...)
	}
	if l.Rooms != nil {
		sections, err := l.Rooms.Sections()
		if err != nil {
			return err
		}
		r.HostSections, r.Key = append(r.HostSections, sections...), append(r.Key, l.Rooms.Keys()...)
	}
	return nil
}
