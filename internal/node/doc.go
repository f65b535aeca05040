// Package node holds what every node of a cluster starts with: its name and
// place, its keys, and the promise of --dev to stay on loopback.
package node
