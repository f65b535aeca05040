// Package geo measures, in virtual time, how far a message travels: one core, edges in
// twelve regions, publishers and clients everywhere, and what reliefs and troubles
// change of it.
package geo
