package simulate

import "selvedge/simulations/geo"

// Command is `selvedge simulate`.
type Command struct {
	Geo geo.Command `cmd:"" help:"How far a message travels: a core, edges in twelve regions, clients everywhere."`
}
