//go:build !linux

package router

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"

	"selvedge/simulations/netsim"
)

// errSystem: this system has no network namespaces.
var errSystem = errors.New("network namespaces are Linux', this is " + runtime.GOOS)

// Space is not to be had here.
type Space struct{}

// NewSpace fails here.
func NewSpace(...netsim.Host) (*Space, error) { return nil, errSystem }

// Close does nothing.
func (*Space) Close() {}

// Dial fails here.
func (*Space) Dial(context.Context, netsim.Host, string) (net.Conn, error) { return nil, errSystem }

// Listen fails here.
func (*Space) Listen(context.Context, netip.AddrPort) (net.Listener, error) { return nil, errSystem }

// Under is nothing here.
func (*Space) Under(string) []string { return nil }

// Router is not to be had here.
type Router struct{}

// Start fails here.
func Start(Plan, []*Space, string, ...string) (*Router, error) { return nil, errSystem }

// PID is nobody's here.
func (*Router) PID() int { return 0 }

// Stop fails here.
func (*Router) Stop() (Counts, error) { return Counts{}, errSystem }

// Run fails here.
func (*Command) Run() error { return errSystem }

// Run fails here.
func (*WithinCommand) Run() error { return errSystem }
