package feed

import (
	"selvedge/core/directory"
	corelog "selvedge/core/log"
	"selvedge/wire"
	"selvedge/wire/tail"
)

// state applies records to the view before links can tell of them: an answer
// is never older than what its asker has seen. The view counts the members of
// their rooms on the way.
func (f *Feed) state(_ wire.LogID, t *tail.Tail, records []corelog.Stored) error {
	applied := make([]wire.StateRecord, len(records))
	for i := range records {
		applied[i] = *records[i].State
	}
	if err := f.cfg.View.Apply(applied); err != nil {
		return err
	}
	out := make([]tail.Record, len(applied))
	for i := range applied {
		out[i] = stateRecord(&applied[i])
	}
	t.Append(out...)
	return nil
}

func stateRecord(rec *wire.StateRecord) tail.Record {
	return tail.Record{Seq: rec.V, Kind: tail.State, Keys: rec.Interests(), Bytes: wire.AppendStateRecord(nil, rec)}
}

// stateRecords are those that a link wants which fell behind. Their rooms'
// members are counted as of now: the view has all of stored up to upto.
func (f *Feed) stateRecords(stored []corelog.Stored, upto wire.Seq, want func([2]wire.Key) bool) ([]tail.Record, error) {
	var wanted []wire.StateRecord
	for i := range stored {
		rec := stored[i].State
		if rec.V > upto {
			break
		}
		if want(rec.Interests()) {
			wanted = append(wanted, *rec)
		}
	}
	if err := f.countMembers(wanted); err != nil {
		return nil, err
	}
	var out []tail.Record
	for i := range wanted {
		out = append(out, stateRecord(&wanted[i]))
	}
	return out, nil
}

// countMembers sets the MemberCount of memberships, each room's read once.
func (f *Feed) countMembers(records []wire.StateRecord) error {
	counts := map[wire.RoomID]int{}
	for i := range records {
		if records[i].Kind == wire.StateMember {
			counts[records[i].Room] = 0
		}
	}
	if len(counts) == 0 {
		return nil
	}
	err := f.cfg.View.Read(func(r *directory.Reader) error {
		return r.Walk(func(w *directory.Walker) (err error) {
			for room := range counts {
				if counts[room], err = w.MemberCount(room); err != nil {
					return err
				}
			}
			return nil
		})
	})
	for i := range records {
		if records[i].Kind == wire.StateMember {
			records[i].MemberCount = counts[records[i].Room]
		}
	}
	return err
}

// movedState appends those of keys that have records after since, or might: all,
// if the tail does not reach back to it.
func (f *Feed) movedState(dst, keys []wire.Key, since wire.Seq) []wire.Key {
	told, whole := f.tails[wire.StateLog].Keys(nil, since)
	if !whole {
		return append(dst, keys...)
	}
	// A map takes its time to make, so it is made of the fewer.
	fewer, more := told, keys
	if len(keys) < len(told) {
		fewer, more = keys, told
	}
	both := make(map[wire.Key]bool, len(fewer))
	for _, k := range fewer {
		both[k] = false
	}
	for _, k := range more {
		if _, ok := both[k]; ok {
			both[k] = true
		}
	}
	for _, k := range keys {
		if both[k] {
			dst = append(dst, k)
		}
	}
	return dst
}
