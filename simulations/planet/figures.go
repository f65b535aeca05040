package planet

// Cost is a figure with its unit, and where it came from.
type Cost struct {
	Value  float64 `yaml:"value"`
	Unit   string  `yaml:"unit"`
	Source string  `yaml:"source"`
}

// Figures are the costs of single things. Those of CPU are microseconds of one CPU like
// that of the machine where they were measured.
type Figures struct {
	CorePublish  Cost `yaml:"core_publish_cpu"`
	CoreLink     Cost `yaml:"core_link_cpu"`
	CoreConnect  Cost `yaml:"core_connect_cpu"`
	CoreState    Cost `yaml:"core_state_cpu"`
	RedisPublish Cost `yaml:"redis_publish_cpu"`
	RedisGateway Cost `yaml:"redis_gateway_cpu"`
	RelayFrame   Cost `yaml:"relay_frame_cpu"`
	EdgeFrame    Cost `yaml:"edge_frame_cpu"`
	EdgeDelivery Cost `yaml:"edge_delivery_cpu"`
	EdgeConnect  Cost `yaml:"edge_connect_cpu"`
	EdgeTLS      Cost `yaml:"edge_tls_cpu"`
	EdgeQuery    Cost `yaml:"edge_query_cpu"`
	EdgeIdle     Cost `yaml:"edge_idle_cpu"`

	EdgeProcess Cost `yaml:"edge_process_memory"`
	EdgeCache   Cost `yaml:"edge_cache_memory"`
	EdgeSocket  Cost `yaml:"edge_socket_memory"`
	TLSSocket   Cost `yaml:"edge_tls_memory"`
	KernelEnd   Cost `yaml:"kernel_socket_memory"`
	CoreRecord  Cost `yaml:"core_record_memory"`
	CoreRebuild Cost `yaml:"core_rebuild_rate"`

	LinkBytes   Cost `yaml:"link_overhead_bytes"`
	RedisBytes  Cost `yaml:"redis_overhead_bytes"`
	SocketBytes Cost `yaml:"socket_overhead_bytes"`
	PingBytes   Cost `yaml:"ping_bytes"`
	WelcomeRoom Cost `yaml:"welcome_bytes"`

	StreamRate    Cost `yaml:"link_stream_rate"`
	PriceCPU      Cost `yaml:"price_cpu"`
	PriceCoreCPU  Cost `yaml:"price_core_cpu"`
	PriceOcean    Cost `yaml:"price_ocean"`
	PriceClients  Cost `yaml:"price_clients"`
	PriceRegion   Cost `yaml:"price_region"`
	PriceBalancer Cost `yaml:"price_balancer"`
}

// figure is one of Figures, by its name.
type figure struct {
	name, unit string
	cost       *Cost
}

// all are the figures, in the order of the file, with the units that the model reckons
// with.
func (f *Figures) all() []figure {
	return []figure{
		{"core_publish_cpu", "us per publish", &f.CorePublish},
		{"core_link_cpu", "us per frame and link", &f.CoreLink},
		{"core_connect_cpu", "us per connection", &f.CoreConnect},
		{"core_state_cpu", "us per record", &f.CoreState},
		{"redis_publish_cpu", "us per publish", &f.RedisPublish},
		{"redis_gateway_cpu", "us per frame and gateway", &f.RedisGateway},
		{"relay_frame_cpu", "us per frame and sibling", &f.RelayFrame},
		{"edge_frame_cpu", "us per frame", &f.EdgeFrame},
		{"edge_delivery_cpu", "us per delivery", &f.EdgeDelivery},
		{"edge_connect_cpu", "us per connection", &f.EdgeConnect},
		{"edge_tls_cpu", "us per connection", &f.EdgeTLS},
		{"edge_query_cpu", "us per question", &f.EdgeQuery},
		{"edge_idle_cpu", "us per socket and second", &f.EdgeIdle},
		{"edge_process_memory", "bytes", &f.EdgeProcess},
		{"edge_cache_memory", "bytes", &f.EdgeCache},
		{"edge_socket_memory", "bytes per socket", &f.EdgeSocket},
		{"edge_tls_memory", "bytes per socket", &f.TLSSocket},
		{"kernel_socket_memory", "bytes per socket", &f.KernelEnd},
		{"core_record_memory", "bytes per record", &f.CoreRecord},
		{"core_rebuild_rate", "records per second", &f.CoreRebuild},
		{"link_overhead_bytes", "bytes per frame", &f.LinkBytes},
		{"redis_overhead_bytes", "bytes per frame", &f.RedisBytes},
		{"socket_overhead_bytes", "bytes per delivery", &f.SocketBytes},
		{"ping_bytes", "bytes per socket and second", &f.PingBytes},
		{"welcome_bytes", "bytes per connection and room", &f.WelcomeRoom},
		{"link_stream_rate", "bytes per second", &f.StreamRate},
		{"price_cpu", "USD per CPU and hour", &f.PriceCPU},
		{"price_core_cpu", "USD per CPU and hour", &f.PriceCoreCPU},
		{"price_ocean", "USD per GB", &f.PriceOcean},
		{"price_clients", "USD per GB", &f.PriceClients},
		{"price_region", "USD per GB", &f.PriceRegion},
		{"price_balancer", "USD per GB", &f.PriceBalancer},
	}
}
