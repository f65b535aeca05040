// Package session is what an edge understands of its clients: who they are,
// which rooms they are in, what they ask and what they may.
//
// Memberships hang on users: all sockets of a user at this edge share one
// interest in the user's rooms, one list of them, and one interest per channel.
// A user is loaded once, by a query that is answered from after the interest
// took effect (rule 8); changes then come on the state log's stream.
//
// A client's messages are handled in order, by a goroutine that exists only as
// long as there are any.
package session
