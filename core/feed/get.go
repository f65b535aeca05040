package feed

import (
	"strings"

	"selvedge/core/directory"
	"selvedge/wire"
)

// get answers documents by key, "user:1" or "room:x". What the asker, if one is
// named, may not see is missing, as is what does not exist: the difference is
// nobody's business. A room is visible to its members, a user to those who share
// a room. Of what does not fit into one reply Next is the first: it and the keys
// after it are neither among the objects nor missing.
func get(r *directory.Reader, q *wire.Query, a *wire.Answer) error {
	visible, err := visibleTo(r, q.User, q.Keys)
	if err != nil {
		return err
	}
	a.Objects = map[string]wire.Object{}
	size := 0
	return r.Walk(func(w *directory.Walker) error {
		for i, key := range q.Keys {
			var doc directory.Doc
			ok := visible == nil || visible[i]
			if ok {
				if doc, ok, err = document(w, key); err != nil {
					return err
				}
			}
			if !ok {
				a.Missing = append(a.Missing, key)
				continue
			}
			if len(a.Objects) > 0 && size+len(doc.Data) > replyBytes {
				a.Next = key
				return nil
			}
			size += len(doc.Data)
			a.Objects[key] = wire.Object{V: doc.V, Data: append(wire.Data(nil), doc.Data...)}
		}
		return nil
	})
}

// document is that of a key, false if there is none. Its data is valid until the
// Walker's next call.
func document(w *directory.Walker, key string) (directory.Doc, bool, error) {
	switch kind, id := cutKey(key); kind {
	case "room":
		return w.Room(wire.RoomID(id))
	case "user":
		return w.User(wire.UserID(id))
	}
	return directory.Doc{}, false, nil
}

// cutKey is the two parts of a document's key; both are "" if it is none.
func cutKey(key string) (kind, id string) {
	kind, id, _ = strings.Cut(key, ":")
	if (kind != "user" && kind != "room") || wire.CheckID(id) != nil {
		return "", ""
	}
	return kind, id
}

// visibleTo says of each key whether the asker may see it; nil = all, since no
// asker is named.
func visibleTo(r *directory.Reader, asker wire.UserID, keys []string) ([]bool, error) {
	if asker == "" {
		return nil, nil
	}
	visible := make([]bool, len(keys))
	var users []wire.UserID
	var at []int // of users, in keys
	for i, key := range keys {
		switch kind, id := cutKey(key); kind {
		case "room":
			var err error
			if _, visible[i], err = r.Membership(wire.RoomID(id), asker); err != nil {
				return nil, err
			}
		case "user":
			visible[i] = wire.UserID(id) == asker
			users, at = append(users, wire.UserID(id)), append(at, i)
		}
	}
	shared, err := r.Shares(asker, users)
	for k, i := range at {
		visible[i] = visible[i] || shared[k] != ""
	}
	return visible, err
}
