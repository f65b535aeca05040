// Package api is the HTTP API of a core, for backends: publish, users, rooms,
// members, history and the state of the cluster.
//
// A request is read whole, decoded strictly and checked whole before anything
// is done, so that a malformed one changes nothing. What the handlers do is in
// one table (calls.go), which also yields the 405s, the metrics' labels and the
// test that the OpenAPI document names every call.
package api
