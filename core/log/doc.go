// Package log appends to, reads from a position and follows the P frame logs
// and the state log, on NATS JetStream: one server in this process, three cores'
// servers that form a cluster, or an external NATS.
//
// One stream per log: frames-00, frames-01, … with subject f.<p>.<channel>, and
// state with the last record of each key. A log's position is the stream's
// sequence number. Ids in subjects are base64url, since '.', '*' and '>' are
// legal in them.
//
// An embedded server has no listener for clients: all their traffic goes over
// in-memory connections. A single server listens nowhere. When its file store
// can't write (a full disk), that error is sticky, so the server is closed and
// opened again with backoff; callers see ErrUnavailable meanwhile, and followers
// go on where they were. The servers of three cores listen for each other only,
// by mutual TLS with the nodes' identities.
//
// Whoever follows a log of a single core reads it until its end, and is handed
// from there on what the log acknowledges: see near.go.
//
// Where there are several copies, any of them reads, and who comes to the end
// of one asks the leader whether that is the end: see leader.go. Whose word
// counts when copies were lost is in shared.go.
package log
