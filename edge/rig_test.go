package edge

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"selvedge/edge/upstream"
	"selvedge/internal/identity"
	"selvedge/internal/telemetry"
	"selvedge/topology"
	"selvedge/topology/gossip"
	"selvedge/topology/region"
	"selvedge/wire/link"
)

// newNode is an edge without a link; it gossips with nobody.
func newNode(t *testing.T) *edgeNode {
	t.Helper()
	place, _ := region.Lookup("eu-west")
	n := &edgeNode{
		cfg: Config{
			Name: "edge-1", Region: place, Transport: "portable", CacheBytes: 1 << 20, Ping: 25 * time.Second,
			Logger: slog.New(slog.DiscardHandler),
		},
		ready: telemetry.NewReady("gossip", "link"), metrics: newMetrics(prometheus.NewRegistry(), "eu-west"), limit: 10,
	}
	var err error
	if n.verifier, err = identity.NewVerifier(identity.DevTokens()); err != nil {
		t.Fatal(err)
	}
	n.up = upstream.New(upstream.Config{Logger: n.cfg.Logger})
	n.siblings = newSiblings(n)
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	id, err := identity.DevNode(identity.RoleEdge, "edge-1")
	if err != nil {
		t.Fatal(err)
	}
	if n.siblings.server, err = link.Listen(udp, link.ServerConfig{TLS: id.ServerTLS(), Source: n.siblings.relay}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if err := errors.Join(n.siblings.server.Run(ended), udp.Close()); err != nil {
			t.Error(err)
		}
	})
	n.gossip, err = gossip.Start(t.Context(), gossip.Config{
		Self: topology.Node{
			ID: "edge-1", Role: topology.RoleEdge, Region: "eu-west", Lat: place.Lat, Lon: place.Lon,
			State: topology.StateReady, Public: "http://edge-1.test", Link: "127.0.0.1:1",
		},
		Bind: "127.0.0.1:0", Keys: identity.DevGossipKey(), Logger: n.cfg.Logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.gossip.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// newFollower is the follower of a node; its world runs until the test ends.
func newFollower(t *testing.T) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	g := new(errgroup.Group)
	t.Cleanup(func() {
		cancel()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &follower{n: newNode(t), ctx: ctx, g: g}
}
