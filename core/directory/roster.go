package directory

import "selvedge/wire"

// memberBytes is about what a member takes in a page of a roster beside its id
// and its name.
const memberBytes = 16

// Roster is a page of a room's members in order of their ids, after the one
// named ("" = from the first), with their names: at most limit, and about size
// bytes of them. next is as of Members.
func (r *Reader) Roster(room wire.RoomID, after wire.UserID, limit, size int) (members []wire.UserID, names []wire.Name, next string, err error) {
	members, names = make([]wire.UserID, 0, min(limit, wire.MaxPage)), make([]wire.Name, 0, min(limit, wire.MaxPage))
	// The users' documents have the members' order, too: one walk beside the other.
	err = r.Walk(func(w *Walker) (err error) {
		next, err = r.page(twoKey(liveMember, string(room), ""), string(after), limit, size, func(id string, _ []byte) (int, error) {
			doc, _, err := w.User(wire.UserID(id))
			name := wire.Name{V: doc.V, Name: wire.NameOf(doc.Data)}
			members, names = append(members, wire.UserID(id)), append(names, name)
			return len(id) + len(name.Name) + memberBytes, err
		})
		return err
	})
	return members, names, next, err
}
