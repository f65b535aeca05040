// Package upstream follows the logs for an edge: it keeps a link to a core,
// opens each log where the edge left off, and keeps the upstream's picture of
// the edge's interests true across links.
package upstream
