package identity

// The keys of --dev. They are public: whoever has the binary has them, so a node
// that uses them refuses any address but loopback.
const (
	// DevTokenSecret signs client tokens (HS256).
	DevTokenSecret = "selvedge-dev-secret-not-for-production"
	// DevAPIKey is the backend's key.
	DevAPIKey = "dev"
	devSeed   = "selvedge dev certificate authority, not for production"
	devGossip = "selvedge dev gossip key, not for production"
)

// DevTokens verifies tokens that DevTokenSecret signed.
func DevTokens() TokenConfig {
	return TokenConfig{Secrets: [][]byte{[]byte(DevTokenSecret)}, Dev: true}
}
