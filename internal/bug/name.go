package bug

// Name is a defect. It is put in where the code says so by On.
type Name string

// The defects.
const (
	// HiddenTrim: a fill pretends that what was trimmed never was.
	HiddenTrim Name = "hidden-trim"
	// OneCursor: a resumed session knows its logs' positions only, and not those
	// of its late channels.
	OneCursor Name = "one-cursor"
	// LogPosition: a client tells repetitions by the log's position, and not by
	// the channel's.
	LogPosition Name = "log-position"
	// SameEpoch: a log that lost its end goes on in the same epoch.
	SameEpoch Name = "same-epoch"
	// OvertakingFill: an answer about a user's rooms comes late, and wins over
	// what changed meanwhile.
	OvertakingFill Name = "overtaking-fill"
	// SharedID: an idempotency id counts in all channels of a log.
	SharedID Name = "shared-id"
	// BrokenChain: who goes on with a log that another process served doesn't
	// know its channels' last frames.
	BrokenChain Name = "broken-chain"
)

// Env names the environment variable that says which one is put in.
const Env = "SELVEDGE_BUG"
