// Package feed is what a core serves its links from: it follows every log,
// gives each frame its prev and encodes it once into the log's tail, applies
// state records to the directory's view before anybody sees them, stamps
// watermarks, and answers what edges ask.
package feed
