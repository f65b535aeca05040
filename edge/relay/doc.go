// Package relay feeds an edge's siblings with the logs that the edge takes from a
// core, so that a region costs one crossing of the ocean for each frame, whatever its
// edges and sockets. It is the edge's link.Source.
//
// # What a relay has
//
// A core has every record of a log; a relay has those that somebody asked it for.
// It counts the interests of its siblings, and asks the core for each that is new:
// from the core's marker on it has the records, and not before. So a sibling can
// begin at a relay when all that it wants is held there, and not at any position:
// it goes on at a core until then (package upstream, "How a log moves"), and what is
// older than the relay's tail is asked of a core.
//
// # Who feeds whom
//
// A log that the edge takes from another edge has no tail here: who asks is sent
// elsewhere. So no record passes more than two links, and there are no loops
// (rule 11). A log whose link to its core is lost goes on when there is another; the
// siblings see no more than a pause.
//
// # Watermarks
//
// They are passed on as they came, in their place among the records: a relay says
// what its core said, and invents none.
package relay
