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
// # Coalescing
//
// A shard handles all the mail at hand before it writes: what a socket has
// pending then goes out in one writev. When the shard is not behind, that is
// one frame at once; when it is, it is many. There is no timer.
package fanout
