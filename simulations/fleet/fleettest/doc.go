// Package fleettest makes a test's own binary what the test starts: nodes, and
// processes of clients.
package fleettest
