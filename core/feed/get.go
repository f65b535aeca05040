package feed

import (
	"strings"

	"selvedge/core/directory"
	"selvedge/wire"
)

// get answers documents by key, "user:1" or "room:x". What the asker may not
// see is missing, as is what does not exist: the difference is nobody's
// business. A room is visible to its members, a user to those who share a room.
// Of what does not fit into one reply Next is the first: it and the keys after
// it are neither among the objects nor missing.
func get(r *directory.Reader, q *wire.Query, a *wire.Answer) error {
	a.Objects = map[string]wire.Object{}
	var mine []wire.Membership // the asker's, read when first needed
	size := 0
	for _, key := range q.Keys {
		doc, ok, err := visible(r, q.User, key, &mine)
		if err != nil {
			return err
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
		a.Objects[key] = wire.Object{V: doc.V, Data: doc.Data}
	}
	return nil
}

func visible(r *directory.Reader, asker wire.UserID, key string, mine *[]wire.Membership) (directory.Doc, bool, error) {
	kind, id, _ := strings.Cut(key, ":")
	if wire.CheckID(id) != nil {
		return directory.Doc{}, false, nil
	}
	switch kind {
	case "room":
		if _, member, err := r.Membership(wire.RoomID(id), asker); err != nil || !member {
			return directory.Doc{}, false, err
		}
		doc, ok, err := r.Room(wire.RoomID(id))
		return doc.Doc, ok, err
	case "user":
		ok, err := sharesRoom(r, asker, wire.UserID(id), mine)
		if err != nil || !ok {
			return directory.Doc{}, false, err
		}
		return r.User(wire.UserID(id))
	}
	return directory.Doc{}, false, nil
}

func sharesRoom(r *directory.Reader, asker, user wire.UserID, mine *[]wire.Membership) (bool, error) {
	if asker == user {
		return true, nil
	}
	if *mine == nil {
		var err error
		if *mine, err = memberships(r, asker); err != nil {
			return false, err
		}
	}
	for _, m := range *mine {
		if _, ok, err := r.Membership(m.Room, user); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}
