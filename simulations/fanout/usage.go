package fanout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"selvedge/simulations/load"
)

// usage is what processes have used up to a moment.
type usage struct {
	at                         time.Time
	centre                     []time.Duration // by process
	relays, clients, publisher time.Duration
}

// use reads it.
func (r *rig) use(t *tier) (u usage, err error) {
	u.at = time.Now()
	sum := func(pids []int) (total time.Duration) {
		for _, pid := range pids {
			d, cpuErr := load.CPU(pid)
			total, err = total+d, errors.Join(err, cpuErr)
		}
		return total
	}
	for _, pid := range t.centre {
		u.centre = append(u.centre, sum([]int{pid}))
	}
	for _, w := range r.clients {
		u.clients += sum([]int{w.PID()})
	}
	u.relays, u.publisher = sum(t.relays), sum([]int{os.Getpid()})
	return u, err
}

// since is what was used from before on.
func (u usage) since(before usage) usage {
	d := usage{relays: u.relays - before.relays, clients: u.clients - before.clients, publisher: u.publisher - before.publisher}
	for i := range u.centre {
		d.centre = append(d.centre, u.centre[i]-before.centre[i])
	}
	return d
}

// rate is usage per second of an idle time, in seconds of CPU.
type rate struct {
	centre          []float64
	relays, clients float64
}

func (u usage) per(wall time.Duration) (r rate) {
	for _, d := range u.centre {
		r.centre = append(r.centre, d.Seconds()/wall.Seconds())
	}
	r.relays, r.clients = u.relays.Seconds()/wall.Seconds(), u.clients.Seconds()/wall.Seconds()
	return r
}

// sum is of all processes of the centre.
func (r rate) sum() (all float64) {
	for _, v := range r.centre {
		all += v
	}
	return all
}

// micros is what was used beyond idle in a time, in microseconds for each of n.
func micros(used time.Duration, idle, wall float64, n int64) float64 {
	return max(0, used.Seconds()-idle*wall) * 1e6 / float64(max(n, 1))
}

// sent is what left somewhere up to a moment, in bytes.
type sent struct{ centre, relays, loopback float64 }

func (r *rig) sent(ctx context.Context, t *tier) (s sent, err error) {
	if s.centre, s.relays, err = t.sent(ctx); err != nil {
		return s, err
	}
	s.loopback, err = loopback()
	return s, err
}

// loopback is what the loopback interface has carried so far, in bytes: whatever any
// process sent, with the headers of IP, TCP and UDP; but for segments that the kernel
// passes on as one, which have them once.
func loopback() (float64, error) {
	text, err := os.ReadFile("/proc/net/dev")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		name, counts, ok := strings.Cut(line, ":")
		if fields := strings.Fields(counts); ok && strings.TrimSpace(name) == "lo" && len(fields) > 8 {
			return strconv.ParseFloat(fields[8], 64) // transmitted
		}
	}
	return 0, fmt.Errorf("/proc/net/dev has no loopback")
}
