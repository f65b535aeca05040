package mega

// MegaResult is what the mega-channel showed. Times are in ms, from before the
// publish (of the floor: from its first write) to a last receipt.
type MegaResult struct {
	Edges          int   `json:"edges"`
	Regions        int   `json:"regions"`
	Relays         int   `json:"relays"` // edges that take a log from the core
	SocketsPerEdge int   `json:"sockets_per_edge"`
	Sockets        int   `json:"sockets"`
	Members        int   `json:"members"`
	MessageBytes   int   `json:"message_bytes"`
	LoadProcesses  int   `json:"load_processes"`
	Publishes      int   `json:"publishes"`
	Lost           int64 `json:"lost"` // a run that loses something has no result
	Doubled        int64 `json:"doubled"`

	Start   float64 `json:"start_s"`   // until the core and all edges are ready
	Join    float64 `json:"join_ms"`   // the one call that makes all of them members
	Connect float64 `json:"connect_s"` // until all are welcome

	Last       Spread  `json:"last_ms"`
	Floor      Spread  `json:"floor_ms"`       // by turns with ours, beside the idle fleet
	FloorAlone Spread  `json:"floor_alone_ms"` // before there was a fleet
	Ratio      Spread  `json:"ratio"`          // of each pair
	Goal       float64 `json:"goal"`
	Reached    bool    `json:"reached"`
	RatioAlone float64 `json:"ratio_alone"` // of the medians

	Gateway      Spread `json:"gateway_ms"`       // one gateway's members alone
	GatewayFloor Spread `json:"gateway_floor_ms"` // one floor's sockets alone
	// Done and FloorDone are when each gateway had delivered to all of its sockets, ascending, in the
	// publish of the median time.
	Done      []float64 `json:"gateways_done_ms"`
	FloorDone []float64 `json:"floors_done_ms"`

	CoreCPU    float64 `json:"core_cpu_us_per_publish"` // as all CPU: without what an idle fleet takes
	EdgeCPU    float64 `json:"edge_cpu_us_per_delivery"`
	FloorCPU   float64 `json:"floor_cpu_us_per_delivery"`
	ClientCPU  float64 `json:"client_cpu_us_per_delivery"`
	CoreFrames float64 `json:"core_frames_per_publish"` // out of the core
	CoreBytes  float64 `json:"core_bytes_per_publish"`

	Idle struct {
		Machine float64 `json:"machine_percent"` // of all CPUs
		Edges   float64 `json:"edges_percent"`   // of one
		Core    float64 `json:"core_percent"`
	} `json:"idle"`
	EdgeResident  int64 `json:"edge_rss_bytes"` // of one, with its sockets
	EdgeAnonymous int64 `json:"edge_anon_bytes"`
}
