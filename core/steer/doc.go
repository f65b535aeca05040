// Package steer is `selvedge drain`: it asks a core to have a node of its cluster
// drain, and watches until that has left.
package steer
