package bench

import "selvedge/simulations/faults"

// Command is `selvedge bench`.
type Command struct {
	Fanout FanoutCommand `cmd:"" help:"What a delivery costs, and how fast a frame is at 10,000 sockets."`

	Storm  StormCommand  `cmd:"" help:"What it costs to accept, authenticate and welcome a socket."`
	Memory MemoryCommand `cmd:"" help:"What an idle socket takes of memory."`
	GC     GCCommand     `cmd:"" name:"gc" help:"How much the garbage collector disturbs a full and busy edge."`
	Query  QueryCommand  `cmd:"" help:"How many questions an edge answers from its cache, and how fast."`

	Directory DirectoryCommand `cmd:"" help:"How large a directory may be: rebuilt, resumed, and joined by 100,000 at once."`
	Welcome   WelcomeCommand   `cmd:"" help:"How much a client reads before it shows something, and how long that takes."`
	Table     TableCommand     `cmd:"" help:"All of these, as one table."`
	Day       DayCommand       `cmd:"" help:"A day's worth: 50,000 messages over 200 rooms to 1,000 clients at three edges, each accounted for."`

	Faults faults.Command `cmd:"" help:"What goes wrong on purpose, and whether anything is lost: kill -9, a full disk, a power loss."`

	FaultMembers faults.MembersCommand `cmd:"" hidden:"" help:"The members of 'faults'."`

	Clients clientsCommand `cmd:"" hidden:"" help:"The receivers of the other commands."`
	Floor   floorCommand   `cmd:"" hidden:"" help:"The bare floor of the other commands."`
}
