// Package link is one QUIC connection between an upstream, which feeds logs,
// and a downstream, which follows them: mutual TLS 1.3, ALPN "selvedge/1".
//
// # Streams
//
//   - The control stream, opened by the downstream: hello and its answer, then
//     Open, Close, Interest and Ping down to up, Pong up to down.
//   - One unidirectional stream per log, upstream to downstream, so that a lost
//     packet of one log never stalls another. It starts with the log's number
//     and which of this link's streams of the log it is, and carries records:
//     frames or state records that somebody downstream wants, markers,
//     watermarks, and gaps.
//   - One short bidirectional stream per query, opened by the downstream.
//   - Datagrams for signals, at most wire.MaxSignal bytes.
//
// # Promises of a log's stream
//
// Opened after position n with interests K, it carries every record after n
// that meets K, in log order, once. An Interest delta is answered by a Marker
// on the stream itself, "live from here" (rule 2): records after it meet the
// new interests too. What lies before the marker comes by a fill query. A
// Watermark says that everything up to it was sent; the core stamps them, and a
// relay forwards them in order. A Gap says that records up to its position are
// gone, and which interests had some among those that were not sent (rule 4).
//
// A log that is closed ends behind what was sent, and may be opened again, here
// or on another link: one that followed it has every record once. An upstream
// whose log ends before the position asked for waits a moment, and says Behind.
//
// # Who may
//
// Downstreams are edges, upstreams are cores, each by its certificate, and a
// downstream has the name that its certificate has.
//
// # Slow links
//
// A feed has no queue: it is a position in the source's tail (package tail). A
// link that falls off the tail reads the log itself until it is back (rule 13).
package link
