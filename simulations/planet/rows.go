package planet

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"selvedge/internal/config"
	"selvedge/simulations/report"
)

// What laws may be fitted to. What is larger is there to be predicted, so nothing of it
// is looked at.
const (
	maxGateways = 1_000
	maxSockets  = 100_000
)

// errTooLarge: a run is larger than laws may be fitted to.
var errTooLarge = errors.New("too large to calibrate with")

// run is a report.json of another simulation.
type run struct {
	Name    string          `json:"name"`
	Quick   bool            `json:"quick"`
	Command string          `json:"command"`
	Seed    uint64          `json:"seed"`
	Build   config.Build    `json:"build"`
	Machine report.Machine  `json:"machine"`
	Made    time.Time       `json:"made"`
	Host    json.RawMessage `json:"host_time"`
}

// commit is what the run was built of: a build that names its version by it has no other.
func (r *run) commit() string {
	if r.Build.Commit == "" || r.Build.Commit == "unknown" {
		return r.Build.Version
	}
	return r.Build.Commit
}

// Names of simulations whose reports are read.
const (
	fanoutName  = "fanout"
	millionName = "million"
)

func readRun(file string) (*run, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var r run
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if r.Name != fanoutName && r.Name != millionName {
		return nil, fmt.Errorf("%s: it is a report of %q, and those of %s and %s are read", file, r.Name, fanoutName, millionName)
	}
	return &r, nil
}

// fanoutRow is one tier, size and mode of a fanout report.
type fanoutRow struct {
	Tier      string  `json:"tier"`
	N         int     `json:"n"`
	Mode      string  `json:"mode"`
	Rate      float64 `json:"rate"`
	Publishes int     `json:"publishes"`
	Lost      int     `json:"lost"`
	Doubled   int     `json:"doubled"`
	Last      struct {
		P50 float64 `json:"p50"`
	} `json:"last_ms"`
	Centre  float64   `json:"centre_cpu_us_per_publish"`
	Relays  float64   `json:"relays_cpu_us_per_publish"`
	Clients float64   `json:"clients_cpu_us_per_receipt"`
	Bytes   float64   `json:"centre_bytes_per_publish"`
	Wire    float64   `json:"loopback_bytes_per_publish"`
	ByNode  []float64 `json:"centre_cpu_us_by_node"`

	Idle float64 `json:"-"` // CPU ms per second of all processes, with nothing published
}

// thread is the CPU us of the busiest process of the centre for a publish, where each of
// them has one thread that writes: Redis. The core has as many as CPUs.
func (r fanoutRow) thread() float64 {
	if !strings.HasPrefix(r.Tier, "redis") || len(r.ByNode) == 0 {
		return 0
	}
	return slices.Max(r.ByNode)
}

// idleRow is what one tier and size of a fanout report takes with nothing published.
type idleRow struct {
	Tier    string  `json:"tier"`
	N       int     `json:"n"`
	Centre  float64 `json:"centre_cpu_ms_per_s"`
	Relays  float64 `json:"relays_cpu_ms_per_s"`
	Clients float64 `json:"clients_cpu_ms_per_s"`
}

// single is the mode of one publish at a time.
const single = "single"

// fanout are the rows of a fanout report whose size is wanted; of the others nothing but
// the size is looked at. payload is the size of their messages.
func (r *run) fanout(wanted func(n int) bool) (rows []fanoutRow, payload int, err error) {
	var all struct {
		Payload int               `json:"payload_bytes"`
		Rows    []json.RawMessage `json:"rows"`
		Idle    []json.RawMessage `json:"idle"`
	}
	if err := json.Unmarshal(r.Host, &all); err != nil {
		return nil, 0, fmt.Errorf("host_time: %w", err)
	}
	type key struct {
		tier string
		n    int
	}
	idle := map[key]float64{}
	for i, text := range all.Idle {
		var r idleRow
		if ok, err := readSized(text, wanted, &r); err != nil {
			return nil, 0, fmt.Errorf("idle row %d: %w", i, err)
		} else if ok {
			idle[key{r.Tier, r.N}] = r.Centre + r.Relays + r.Clients
		}
	}
	for i, text := range all.Rows {
		var row fanoutRow
		if ok, err := readSized(text, wanted, &row); err != nil {
			return nil, 0, fmt.Errorf("row %d: %w", i, err)
		} else if !ok {
			continue
		}
		if row.N < 1 || row.Lost != 0 || row.Doubled != 0 {
			return nil, 0, fmt.Errorf("row %d (%s, %d gateways, %s): %d lost, %d doubled: such a run says nothing of costs", i, row.Tier, row.N, row.Mode, row.Lost, row.Doubled)
		}
		row.Idle = idle[key{row.Tier, row.N}]
		rows = append(rows, row)
	}
	return rows, all.Payload, nil
}

// readSized reads a row into one if its size is wanted; else nothing but that is looked at.
func readSized(text json.RawMessage, wanted func(n int) bool, into any) (bool, error) {
	var size struct {
		N int `json:"n"`
	}
	if err := json.Unmarshal(text, &size); err != nil {
		return false, err
	}
	if !wanted(size.N) {
		return false, nil
	}
	return true, json.Unmarshal(text, into)
}

// crowdRow is a million report.
type crowdRow struct {
	Sockets int `json:"sockets"`
	Edges   int `json:"edges"`
	Loads   int `json:"load_processes"`
	Cores   int `json:"cores"`
	CPUs    int `json:"cpus"`
	Team    int `json:"team"` // members of each of the small rooms

	Ping float64 `json:"ping_s"` // each socket's

	ConnectEdge   float64 `json:"edge_cpu_us_per_connect"`
	ConnectCore   float64 `json:"core_cpu_us_per_connect"`
	ConnectClient float64 `json:"client_cpu_us_per_connect"`

	Kernel      float64 `json:"kernel_bytes_per_socket"` // both ends
	EdgeProcess float64 `json:"edge_process_bytes"`
	LoadProcess float64 `json:"load_process_bytes"`
	CoreProcess float64 `json:"core_process_bytes"`
	Memory      float64 `json:"memory_total_bytes"`
	Welcomed    float64 `json:"welcomed_s"`
	Idle        float64 `json:"idle_cpu_us_per_socket_s"`
	Silent      struct {
		Machine float64 `json:"machine_percent"`
	} `json:"idle"`
	Publish struct {
		Lost    int     `json:"lost"`
		Doubled int     `json:"doubled"`
		Last    float64 `json:"last_ms"`
	} `json:"publish"`
}

// million is a million report if its size is wanted; else of it nothing but the size is
// looked at, and it fails with errTooLarge.
func (r *run) million(wanted func(sockets int) bool) (*crowdRow, error) {
	var size struct {
		Sockets int `json:"sockets"`
	}
	if err := json.Unmarshal(r.Host, &size); err != nil {
		return nil, fmt.Errorf("host_time: %w", err)
	}
	if !wanted(size.Sockets) {
		return nil, fmt.Errorf("%w: %d sockets, and at most %d are looked at", errTooLarge, size.Sockets, maxSockets)
	}
	var row crowdRow
	if err := json.Unmarshal(r.Host, &row); err != nil {
		return nil, fmt.Errorf("host_time: %w", err)
	}
	if row.CPUs < 1 || row.Edges < 1 || row.Welcomed <= 0 || row.Publish.Last <= 0 {
		return nil, fmt.Errorf("%d sockets: the report has no CPUs, edges, or times", row.Sockets)
	}
	if row.Sockets < 1 || row.Publish.Lost != 0 || row.Publish.Doubled != 0 {
		return nil, fmt.Errorf("%d sockets, %d lost, %d doubled: such a run says nothing of costs", row.Sockets, row.Publish.Lost, row.Publish.Doubled)
	}
	return &row, nil
}

// connectCPU is the CPU us of all for a socket that is welcomed.
func (r *crowdRow) connectCPU() float64 { return r.ConnectEdge + r.ConnectCore + r.ConnectClient }

// idleCPU is the CPU us of all in a second in which nothing happens.
func (r *crowdRow) idleCPU() float64 { return 1e4 * r.Silent.Machine * float64(r.CPUs) }

// bare is the memory of the processes before anybody came.
func (r *crowdRow) bare() float64 {
	return float64(r.Cores)*r.CoreProcess + float64(r.Edges)*r.EdgeProcess + float64(r.Loads)*r.LoadProcess
}
