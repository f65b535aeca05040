// Package wire defines what travels: frames, state records, link and client
// messages, their msgpack form and its JSON twin, and the limits of each.
// It does no I/O.
//
// # Vocabulary
//
// A frame is one immutable record of a channel. Frames live in P ordered logs;
// a channel always lives in the same log (LogOf). A frame's position in its log
// is its Seq. Prev promises that no frame of the same channel lies between Prev
// and Seq: it is at least the position of the channel's previous frame, and may
// be later when the sender knows of no frame in between. It is a check, not the
// mechanism.
//
// # One encoding
//
// The core encodes a frame once, as the very msgpack map that a client receives
// ({t:"message", …}). Links carry these bytes, caches keep them, and msgpack
// sockets are written them. JSON sockets get the transcoded twin, made once per
// edge. See Body and Frame.
//
// # Limits
//
// Strangers' bytes pass Check (structure, depth, claimed lengths, UTF-8, and
// that the value has a JSON form) before anything decodes them.
package wire
