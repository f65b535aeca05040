// Package fanout duplicates frames to sockets: one shard per CPU, each with its
// own sockets and its own index from channel to sockets, and no lock between
// them.
//
// # A shard
//
// One goroutine runs a shard: the event loop of package transport calls it when
// bytes arrive, when a socket has room again, and when there is mail. Mail is
// how everybody else talks to a shard: batches of frames, and small functions
// that change its index. All of a shard's state is owned by that goroutine.
//
// # Positions
//
// A shard has a position per log: every frame up to it was handed to the
// sockets that are live on that log. A live socket has no position of its own.
// A socket that isn't live on a log lags: it has a position in that log, takes
// nothing from the live path, and reads the cache until it has caught up. That
// is how a session resumes, how it starts while an interest is on its way, and
// how a slow socket goes on (rule 12): past its budget of pending bytes it
// simply begins to lag.
//
// A late channel (rule 1) is the same for one channel: joined or subscribed
// when its log was already further, it has a position of its own until it has
// caught up; its frames are marked back, and no other channel waits for it.
//
// # Rooms by number
//
// The list of a user's rooms is what an idle session has most of. So a room's
// channel has a number, and the list is a string of distances between them, shared
// by the session manager and the shards. A number is given to another room only
// when no list has it any more, wherever that is: see Numbers.
//
// # Focus
//
// A session with a focus gets the frames of some of its rooms (rule 15). Its logs
// pass over those of the others: no cursor waits for them, and catching up does
// not read them. That they have frames it is told by activity: at once, then at
// most once per interval, with the latest. Activity is state, not a stream: a
// slow socket is told when it has room again, and who resumes is told of all that
// came since. What no interval holds takes no memory.
//
// For each room out of focus the session keeps where it was left: for most by a
// position per log, taken when the focus began. A room that gains the focus is a
// late channel from there, a few of them at a time; while it waits for its turn,
// or for a fill, it is passed over like the others. When all rooms are shown
// again, those without frames since need nothing.
//
// # Objects
//
// What a frame refers to, its author and whom it mentions, goes right before it
// to the sessions that have not seen it; what this edge has yet to load goes when
// it has come (rule 14). No frame waits. What a session has seen is a ring of the
// last ids, exact, and made with the first of them. Objects are found once for a
// frame and all sessions of a shard.
//
// # Coalescing
//
// A shard handles all the mail at hand before it writes: what a socket has
// pending then goes out in one writev. When the shard is not behind, that is
// one frame at once; when it is, it is many. There is no timer.
package fanout
