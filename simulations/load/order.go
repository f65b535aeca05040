package load

import "selvedge/simulations/orders"

// worker is a process of clients, or a floor.
type worker = orders.Worker[order, word]

// order is what a worker is told; Do says which fields matter.
type order struct {
	Do string `json:"do"`

	// To clients.
	Group    string   `json:"group,omitempty"`
	URLs     []string `json:"urls,omitempty"`  // sockets take turns
	User     string   `json:"user,omitempty"`  // prefix of the users' ids
	First    int      `json:"first,omitempty"` // number of the first of them; of the first message or packet
	Count    int      `json:"count,omitempty"`
	InFlight int      `json:"in_flight,omitempty"`
	Retries  int      `json:"retries,omitempty"`
	CA       string   `json:"ca,omitempty"`     // file; for wss
	Frames   int64    `json:"frames,omitempty"` // that end the round, of all sockets
	Timed    bool     `json:"timed,omitempty"`
	Millis   int64    `json:"ms,omitempty"`

	// To a floor.
	Welcome int    `json:"welcome,omitempty"` // bytes of its payload
	Texts   Texts  `json:"texts,omitzero"`
	Channel string `json:"channel,omitempty"`
	Batch   int    `json:"batch,omitempty"` // frames per system call
}

func (o order) String() string { return o.Do }

// word is what answers an order.
type word struct {
	URL      string  `json:"url,omitempty"`
	Nanos    []int64 `json:"nanos,omitempty"`
	At       []int64 `json:"at,omitempty"`      // Now at each welcome
	Welcome  int     `json:"welcome,omitempty"` // bytes of the last welcome's payload
	Frames   int64   `json:"frames,omitempty"`
	Bytes    int64   `json:"bytes,omitempty"`
	Start    int64   `json:"start,omitempty"` // Now
	End      int64   `json:"end,omitempty"`
	Sockets  int     `json:"sockets,omitempty"`
	Complete bool    `json:"complete,omitempty"`
	Stats    Stats   `json:"stats,omitzero"`

	Receipts Receipts `json:"receipts,omitempty"`
}
