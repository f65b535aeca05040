// Package simulate is the command `selvedge simulate`: a line for each simulation.
package simulate
