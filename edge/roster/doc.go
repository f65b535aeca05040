// Package roster keeps who is in which room, as far as this edge was asked, and
// finds members by the beginnings of their names and ids.
//
// Of a room it knows the number of members, some of its members (those who were
// seen to share it with somebody), or all of them with their names. Everything
// hangs on one interest in the room's members (wire.MembersKey), which is held
// as long as the room is; users of whole rooms have one in their document, too
// (wire.UserKey). The state log's stream then brings every change, so what is
// here is as fresh as the last watermark. A budget in bytes bounds it: the room
// that was not used for longest goes, with its interests.
//
// # Answers and changes
//
// Answers of the core and records of the stream overtake each other (rule 8).
// An answer is read at a state position, and what it says about a user holds
// from there on: a record up to that position is older, one after it newer,
// whichever comes first. So a member and a name carry the position that they
// are known from, and the higher one wins. There are two ways to be sure that
// no record is missing between an answer and the interest:
//
//   - the answer is asked for when the interest has its marker already. So are
//     whole rooms loaded;
//   - the answer was read first, at V, and the interest is asked for with V as
//     Since: the marker says whether something has moved in between. If not, the
//     answer holds; if so, it is forgotten, or read again. So do counts come from
//     welcomes, shared rooms from answers, and names from the pages of a load.
//
// A load's pages are read one after the other, at different positions. The
// room counts as known when the stream has reached the last of them: before,
// one page might tell of a change that another does not have yet.
//
// Of each room an answer is what the core had at one moment, no older than the
// last record or watermark that was handed in before the question, and rooms
// never go back. Rooms differ in their moments by what they were read ahead of
// the stream.
package roster
