// Package bug plants defects on purpose, in binaries that are built with
// `-tags bugs` only: the checks of simulations must find each of them.
package bug
