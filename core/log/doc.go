// Package log appends to, reads from a position and follows the P frame logs
// and the state log, on an embedded NATS JetStream.
//
// One stream per log: frames-00, frames-01, … with subject f.<p>.<channel>, and
// state with the last record of each key. A log's position is the stream's
// sequence number. Ids in subjects are base64url, since '.', '*' and '>' are
// legal in them.
//
// The server runs in this process and listens nowhere: all traffic goes over
// in-memory connections. When its file store can't write (a full disk), that
// error is sticky, so the server is closed and opened again with backoff;
// callers see ErrUnavailable meanwhile, and followers go on where they were.
package log
