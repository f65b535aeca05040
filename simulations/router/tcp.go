package router

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/netsim"
	"selvedge/simulations/report"
	"selvedge/simulations/thin"
)

// TCPCommand is `selvedge simulate tcp`.
type TCPCommand struct {
	Out      string        `help:"File of the figures; - = print them." default:"-" placeholder:"FILE"`
	Seed     uint64        `help:"Decides about every packet." default:"1"`
	Loss     []float64     `help:"Parts of the packets that are lost, each way." default:"0,0.001,0.01,0.02"`
	RTT      []float64     `help:"Round trips, in ms." default:"20,80,200" name:"rtt"`
	Conns    int           `help:"Connections." default:"60"`
	Messages int           `help:"Messages on each." default:"300"`
	Every    time.Duration `help:"Time between two messages of a connection." default:"100ms"`
}

// Help teaches the command.
func (*TCPCommand) Help() string {
	return `Measures this kernel's TCP with thin streams (small messages, one at a time) over a router that delays and loses packets, and
writes how long they take. What is in the repository was measured so; package netsim's tests hold its model of TCP to that. Linux, as root:

  sudo selvedge simulate tcp --out simulations/netsim/testdata/tcp_linux.json

Takes 31 s for each of the twelve pairs of a loss and a round trip.`
}

// Measured is what TCPCommand writes.
type Measured struct {
	Command string         `json:"command"`
	Date    string         `json:"date"`
	Kernel  string         `json:"kernel"`
	Control string         `json:"congestion_control"`
	Machine report.Machine `json:"machine"`
	Load    thin.Load      `json:"load"`
	Cells   []Cell         `json:"cells"`
}

// Cell is one network, the same in both directions, and how long messages took on it.
type Cell struct {
	RTT  float64 `json:"rtt_ms"`
	Loss float64 `json:"loss"` // each way
	N    int     `json:"n"`
	P50  float64 `json:"p50_ms"`
	P95  float64 `json:"p95_ms"`
	P99  float64 `json:"p99_ms"`
	P999 float64 `json:"p99_9_ms"`
	Mean float64 `json:"mean_ms"`
	Max  float64 `json:"max_ms"`
	Tail []Late  `json:"tail"` // from many messages to few
}

// Late says that a part of the messages takes longer than so many ms.
type Late struct {
	Part float64 `json:"part"`
	Than float64 `json:"than_ms"`
}

// NewCell tells sorted times; there must be some.
func NewCell(rtt time.Duration, loss float64, sorted []time.Duration) Cell {
	at := func(q float64) float64 { return ms(sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]) }
	var sum time.Duration
	for _, d := range sorted {
		sum += d
	}
	c := Cell{
		RTT: ms(rtt), Loss: loss, N: len(sorted), P50: at(0.5), P95: at(0.95), P99: at(0.99), P999: at(0.999),
		Mean: ms(sum / time.Duration(len(sorted))), Max: at(1),
	}
	for _, part := range []float64{0.5, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.015, 0.01, 0.007, 0.005, 0.003, 0.002, 0.0015, 0.001} {
		c.Tail = append(c.Tail, Late{part, at(1 - part)})
	}
	return c
}

func ms(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

// Bounds of a measurement.
const (
	maxConns    = 5000
	maxMessages = 100_000
	maxRTT      = 2000 // ms
	maxLoss     = 0.2
)

// check looks at all flags, before anything is measured.
func (c *TCPCommand) check() error {
	if c.Conns < 1 || c.Conns > maxConns || c.Messages < 1 || c.Messages > maxMessages || c.Every < time.Millisecond {
		return config.Usagef("--conns 1 to %d, --messages 1 to %d, --every 1ms or more", maxConns, maxMessages)
	}
	for _, flag := range []struct {
		name   string
		values []float64
		most   float64
	}{{"--rtt", c.RTT, maxRTT}, {"--loss", c.Loss, maxLoss}} {
		for _, v := range flag.values {
			if fits := v >= 0 && v <= flag.most; !fits { // false for NaN
				return config.Usagef("%s %v: want 0 to %v", flag.name, v, flag.most)
			}
		}
	}
	return nil
}

// Run measures.
func (c *TCPCommand) Run(ctx context.Context, stdio *config.IO) error {
	if err := c.check(); err != nil {
		return err
	}
	m := Measured{
		Command: c.line(), Date: time.Now().Format(time.DateOnly), Kernel: setting("/proc/sys/kernel/osrelease"),
		Control: setting("/proc/sys/net/ipv4/tcp_congestion_control"), Machine: report.ThisMachine(),
		Load: thin.Load{Conns: c.Conns, Messages: c.Messages, Every: c.Every, Size: 200},
	}
	for _, rtt := range c.RTT {
		for _, loss := range c.Loss {
			way := netsim.Path{Delay: time.Duration(rtt / 2 * float64(time.Millisecond)), Loss: loss}
			sorted, err := measureTCP(ctx, c.Seed, way, m.Load)
			if err != nil {
				return fmt.Errorf("%v ms, %v lost: %w", rtt, loss, err)
			}
			cell := NewCell(2*way.Delay, loss, sorted)
			m.Cells = append(m.Cells, cell)
			_, _ = fmt.Fprintf(stdio.Stderr, "tcp: %v ms, %.3g %% lost: p50 %.1f, p95 %.1f, p99 %.1f, p99.9 %.1f ms\n", rtt, 100*loss, cell.P50, cell.P95, cell.P99, cell.P999) // may go unread
		}
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if c.Out == "-" {
		_, err = stdio.Stdout.Write(text)
		return err
	}
	return os.WriteFile(c.Out, text, 0o644)
}

func (c *TCPCommand) line() string {
	list := func(values []float64) string {
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(values), " ", ","), "[]")
	}
	return fmt.Sprintf("selvedge simulate tcp --seed %d --loss %s --rtt %s --conns %d --messages %d --every %v", c.Seed, list(c.Loss), list(c.RTT), c.Conns, c.Messages, c.Every)
}

// setting is what a file of the kernel says, "" if there is none.
func setting(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// Hosts of a measurement.
const (
	caller   netsim.Host = 1
	answerer netsim.Host = 2
)

// measureTCP has a load run from one namespace to another.
func measureTCP(ctx context.Context, seed uint64, way netsim.Path, w thin.Load) (sorted []time.Duration, err error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var spaces []*Space
	defer func() {
		for _, s := range spaces {
			s.Close()
		}
	}()
	p := Plan{Seed: seed, Spaces: 2, Paths: [][]netsim.Path{{way}}}
	for i, h := range []netsim.Host{caller, answerer} {
		s, err := NewSpace(h)
		if err != nil {
			return nil, err
		}
		spaces = append(spaces, s)
		p.Hosts = append(p.Hosts, Place{Host: h, Space: i})
	}
	r, err := Start(p, spaces, binary, "simulate", "router")
	if err != nil {
		return nil, err
	}
	defer func() {
		if _, stopping := r.Stop(); err == nil {
			err = stopping
		}
	}()
	l, err := spaces[1].Listen(ctx, answerer.Addr(80))
	if err != nil {
		return nil, err
	}
	return w.Run(ctx, l, func(ctx context.Context) (net.Conn, error) { return spaces[0].Dial(ctx, caller, l.Addr().String()) })
}
