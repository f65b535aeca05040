package wire

// Limits of the public surface. They are part of the contract: a peer may rely
// on them.
const (
	// MaxID is the longest id of a user, room or topic, in bytes.
	MaxID = 128
	// MaxData is the largest data of one frame or document, in bytes, in either
	// codec.
	MaxData = 1 << 20
	// MaxRefs is the largest number of user ids that a frame may mention.
	MaxRefs = 100
	// MaxMsgID is the longest idempotency id, in bytes.
	MaxMsgID = 256
	// MaxDepth is how deep arrays and maps may nest in data.
	MaxDepth = 64
	// MaxClientMessage is the largest message that a client may send to an
	// edge, in bytes (close code 1009 past it).
	MaxClientMessage = 64 << 10
	// MaxReply is the largest reply that an edge sends to a client, in bytes.
	MaxReply = 1 << 20
	// MaxSignal is the largest signal, in bytes, headers included: it travels
	// as one QUIC datagram.
	MaxSignal = 1 << 10
	// MaxPage is the largest number of items in one page of a listing.
	MaxPage = 1000
	// MaxLogs bounds P, the number of frame logs.
	MaxLogs = 256
)
