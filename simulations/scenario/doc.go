// Package scenario reads and prints what a simulation depends on, as YAML or JSON.
package scenario
