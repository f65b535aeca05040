package router

// Command is `selvedge simulate router`: the process that a Router is.
type Command struct {
	Spaces int `help:"How many namespaces' devices are passed as files, from 3 on." default:"0" hidden:""`
}

// WithinCommand is `selvedge simulate within`: what follows is run in a namespace.
type WithinCommand struct {
	Space string   `arg:"" help:"The namespace, as a file."`
	Line  []string `arg:"" help:"The command line." passthrough:""`
}
