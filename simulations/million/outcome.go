package million

import "selvedge/simulations/load"

// Outcome is what a run found, for machines. What is "per socket" is divided by
// Sockets.
type Outcome struct {
	Sockets       int     `json:"sockets"` // welcomed, all at the same time
	Edges         int     `json:"edges"`
	LoadProcesses int     `json:"load_processes"`
	Cores         int     `json:"cores"`
	CPUs          int     `json:"cpus"`
	Memberships   int     `json:"memberships"`
	Team          int     `json:"team"` // members of a team room
	Ping          float64 `json:"ping_s"`
	MessageBytes  int     `json:"message_bytes"`

	KernelPerSocket   float64 `json:"kernel_bytes_per_socket"` // both ends of the connection
	EdgePerSocket     float64 `json:"edge_bytes_per_socket"`   // growth of VmRSS
	ClientPerSocket   float64 `json:"client_bytes_per_socket"`
	CorePerUser       float64 `json:"core_bytes_per_user"`       // while they connect
	CorePerMembership float64 `json:"core_bytes_per_membership"` // while the rooms are filled
	EdgeProcess       float64 `json:"edge_process_bytes"`        // one, before its first socket: RssAnon, for its program is shared
	LoadProcess       float64 `json:"load_process_bytes"`
	CoreProcess       float64 `json:"core_process_bytes"` // before the rooms are filled
	MemoryTotal       float64 `json:"memory_total_bytes"` // MemAvailable before all, less what it is with all sockets idle

	EdgePerConnect   float64 `json:"edge_cpu_us_per_connect"`
	CorePerConnect   float64 `json:"core_cpu_us_per_connect"`
	ClientPerConnect float64 `json:"client_cpu_us_per_connect"`
	ConnectRate      float64 `json:"connect_per_s"`
	Welcomed         float64 `json:"welcomed_s"` // from the first connect(2) to the last welcome
	Retried          int64   `json:"retried"`    // tries of sockets that were not welcome at once

	IdlePerSocket float64 `json:"idle_cpu_us_per_socket_s"` // the edges'
	Idle          Idle    `json:"idle"`
	Publish       Publish `json:"publish"`
	Teams         Teams   `json:"team_publish"`
	Details       Details `json:"details"`
}

// inCore is what a user takes in the core, with its memberships, in bytes.
func (o *Outcome) inCore() float64 {
	return o.CorePerUser + o.CorePerMembership*float64(o.Memberships)/float64(max(o.Sockets, 1))
}

// Idle is what it costs that nothing happens. Costs are us of CPU per socket and
// second.
type Idle struct {
	Seconds float64 `json:"seconds"`
	Edge    float64 `json:"edge_us"`
	Core    float64 `json:"core_us"`
	Client  float64 `json:"client_us"`
	Pings   float64 `json:"pings_per_s"`
	Machine float64 `json:"machine_percent"` // of all CPUs, these processes'
}

// Publish is one message to all. Times begin before the publishing call.
type Publish struct {
	Publishes int       `json:"publishes"`
	Members   int       `json:"members"`
	Lost      int64     `json:"lost"`
	Doubled   int64     `json:"doubled"`
	Last      float64   `json:"last_ms"` // of the publish whose last receipt is the median; so are the others
	Lasts     []float64 `json:"last_ms_all"`
	P50       float64   `json:"p50_ms"`
	P99       float64   `json:"p99_ms"`
	Accepted  float64   `json:"accepted_ms"` // until the call returns
	Edge      float64   `json:"edge_cpu_us_per_delivery"`
	Core      float64   `json:"core_cpu_us_per_publish"`
	Client    float64   `json:"client_cpu_us_per_delivery"`
}

// Teams is messages to rooms of a team, one after the other.
type Teams struct {
	Publishes int     `json:"publishes"`
	Members   int     `json:"members"`
	Lost      int64   `json:"lost"`
	Doubled   int64   `json:"doubled"`
	Receipts  int64   `json:"receipts"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Max       float64 `json:"max_ms"`
	LastP50   float64 `json:"last_p50_ms"` // the last of a room's receipts, the median room
	// Lasts are the last receipts of all rooms, in the order of the publishes.
	Lasts []float64 `json:"last_ms_all"`
}

// Details are the tables and time lines.
type Details struct {
	Memory  Footprints `json:"memory"`
	Samples []sample   `json:"samples"` // each second while they connect
	Arrived []int      `json:"arrived"` // welcomes in each second
	Welcome Quantiles  `json:"welcome_ms"`
	Filled  float64    `json:"rooms_filled_s"`
	Curve   []Point    `json:"publish_curve"` // receipts of the median publish to all
	Rooms   []Point    `json:"team_publish_curve"`
	Least   float64    `json:"least_available_bytes"`
	Disk    float64    `json:"core_disk_bytes"`
}

// Footprints are the memory at the moments that matter.
type Footprints struct {
	Nothing kernel    `json:"nothing"` // before any process is started
	Empty   footprint `json:"empty"`   // processes, and no room
	Before  footprint `json:"before"`  // rooms are filled, no socket
	After   footprint `json:"after"`   // all are welcomed and idle
}

// footprint is the memory of all at one moment.
type footprint struct {
	Kernel  kernel      `json:"kernel"`
	Core    load.Memory `json:"core"`
	Edges   load.Memory `json:"edges"`
	Clients load.Memory `json:"clients"`
}

// Quantiles are of times, in ms.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Point is one of a curve: the part of the receipts, 0 to 1, that had come by a
// time in ms.
type Point struct {
	At   float64 `json:"ms"`
	Part float64 `json:"part"`
}
