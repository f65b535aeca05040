package directory

import (
	"bytes"
	"context"
	"fmt"

	corelog "selvedge/core/log"
	"selvedge/wire"
)

// Put is a document to write.
type Put struct {
	ID   string
	Data wire.Data // must be an object
	// Version guards against late writers: it must be above the stored one, or
	// equal to it with the same data. Nil = the next.
	Version *uint64
}

// Written is what became of a Put.
type Written struct {
	Doc          // as it is now; V is zero if Err is set
	Created bool // there was none before
	Err     error
}

// PutUser writes a user's document. Errors: ErrVersion, ErrNotObject.
func (w *Writer) PutUser(ctx context.Context, id wire.UserID, data wire.Data, version *uint64) (Written, error) {
	return w.putOne(ctx, wire.StateUser, Put{ID: string(id), Data: data, Version: version})
}

// PutRoom is PutUser for a room.
func (w *Writer) PutRoom(ctx context.Context, id wire.RoomID, data wire.Data, version *uint64) (Written, error) {
	return w.putOne(ctx, wire.StateRoom, Put{ID: string(id), Data: data, Version: version})
}

// PutUsers writes documents of users, whose ids must differ. Each fails on its
// own; the error is for what concerns all.
func (w *Writer) PutUsers(ctx context.Context, puts []Put) ([]Written, error) {
	return w.put(ctx, wire.StateUser, puts)
}

// PutRooms is PutUsers for rooms.
func (w *Writer) PutRooms(ctx context.Context, puts []Put) ([]Written, error) {
	return w.put(ctx, wire.StateRoom, puts)
}

// PatchUser changes a user's document by a merge patch (RFC 7396), which must
// leave it an object. The version is checked as by PutUser, against the outcome.
// Errors: ErrNotFound, ErrVersion, ErrNotObject, wire.ErrTooLarge.
func (w *Writer) PatchUser(ctx context.Context, id wire.UserID, patch wire.Data, version *uint64) (Written, error) {
	return w.patch(ctx, wire.StateUser, string(id), patch, version)
}

// PatchRoom is PatchUser for a room.
func (w *Writer) PatchRoom(ctx context.Context, id wire.RoomID, patch wire.Data, version *uint64) (Written, error) {
	return w.patch(ctx, wire.StateRoom, string(id), patch, version)
}

// last is the last record of a document's key.
type last struct {
	Doc
	alive bool // else a tombstone, or nothing if V is zero
}

func (r *Reader) last(kind wire.StateKind, id string) (last, error) {
	live, dead := docKinds(kind)
	doc, ok, err := r.doc(live, id)
	if err != nil || ok {
		return last{Doc: doc, alive: ok}, err
	}
	doc, _, err = r.doc(dead, id)
	return last{Doc: doc}, err
}

// next is the document that a writer's data and version make of l. changed is
// false if it is what l is already.
func (l *last) next(data wire.Data, version *uint64) (doc Doc, changed bool, err error) {
	switch {
	case !data.IsObject():
		return Doc{}, false, ErrNotObject
	case version == nil:
		return Doc{Version: l.Version + 1, Data: data}, true, nil
	case l.V == 0 || *version > l.Version:
		return Doc{Version: *version, Data: data}, true, nil
	case *version < l.Version:
		return Doc{}, false, fmt.Errorf("%w: version %d is older than the stored %d", ErrVersion, *version, l.Version)
	case !l.alive:
		return Doc{}, false, fmt.Errorf("%w: version %d was deleted: use a higher one", ErrVersion, *version)
	case !same(data, l.Data):
		return Doc{}, false, fmt.Errorf("%w: version %d is stored with other data", ErrVersion, *version)
	}
	return l.Doc, false, nil
}

// same reports whether a and b have the same JSON twin, but for the order of keys.
func same(a, b wire.Data) bool {
	return bytes.Equal(a, b) || bytes.Equal(sorted(a), sorted(b))
}

func sorted(d wire.Data) wire.Data {
	text, err := d.MarshalJSON()
	if err != nil {
		return d
	}
	out, err := wire.ParseJSON(text)
	if err != nil {
		return d
	}
	return out
}

func (w *Writer) putOne(ctx context.Context, kind wire.StateKind, put Put) (Written, error) {
	written, err := w.put(ctx, kind, []Put{put})
	if err != nil {
		return Written{}, err
	}
	return written[0], written[0].Err
}

func (w *Writer) put(ctx context.Context, kind wire.StateKind, puts []Put) ([]Written, error) {
	written := make([]Written, len(puts))
	outcomes, err := w.write(ctx, len(puts), func(r *Reader, i int) (*corelog.StateAppend, error) {
		l, err := r.last(kind, puts[i].ID)
		if err != nil {
			return nil, err
		}
		doc, changed, err := l.next(puts[i].Data, puts[i].Version)
		if err != nil {
			return nil, err
		}
		written[i] = Written{Doc: doc, Created: !l.alive}
		if !changed {
			return nil, nil
		}
		return &corelog.StateAppend{Record: docRecord(kind, puts[i].ID, doc), Expect: l.V}, nil
	})
	if err != nil {
		return nil, err
	}
	for i, o := range outcomes {
		switch {
		case o.err != nil:
			written[i] = Written{Err: o.err}
		case o.seq != 0:
			written[i].V = o.seq
		}
	}
	return written, nil
}

func (w *Writer) patch(ctx context.Context, kind wire.StateKind, id string, patch wire.Data, version *uint64) (Written, error) {
	var written Written
	outcomes, err := w.write(ctx, 1, func(r *Reader, _ int) (*corelog.StateAppend, error) {
		l, err := r.last(kind, id)
		if err != nil {
			return nil, err
		}
		if !l.alive {
			return nil, ErrNotFound
		}
		data, err := mergePatch(l.Data, patch)
		if err != nil {
			return nil, err
		}
		doc, changed, err := l.next(data, version)
		if err != nil {
			return nil, err
		}
		written = Written{Doc: doc}
		if !changed {
			return nil, nil
		}
		return &corelog.StateAppend{Record: docRecord(kind, id, doc), Expect: l.V}, nil
	})
	if err == nil {
		err = outcomes[0].err
	}
	if err != nil {
		return Written{}, err
	}
	if outcomes[0].seq != 0 {
		written.V = outcomes[0].seq
	}
	return written, nil
}

// bury writes a document's tombstone, if it lives. The tombstone keeps the
// version, so that a late writer can't bring back what was deleted.
func (w *Writer) bury(ctx context.Context, kind wire.StateKind, id string) error {
	outcomes, err := w.write(ctx, 1, func(r *Reader, _ int) (*corelog.StateAppend, error) {
		l, err := r.last(kind, id)
		if err != nil || !l.alive {
			return nil, err
		}
		record := docRecord(kind, id, Doc{Version: l.Version})
		record.Deleted = true
		return &corelog.StateAppend{Record: record, Expect: l.V}, nil
	})
	if err != nil {
		return err
	}
	return outcomes[0].err
}

func docRecord(kind wire.StateKind, id string, doc Doc) wire.StateRecord {
	record := wire.StateRecord{Kind: kind, Data: doc.Data, Version: doc.Version}
	if kind == wire.StateUser {
		record.User = wire.UserID(id)
	} else {
		record.Room = wire.RoomID(id)
	}
	return record
}
