package topology

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Errors of this package.
var (
	// ErrBadNode: a node's description has a field that no node may have.
	ErrBadNode = errors.New("bad node")
	// ErrMetaTooLarge: a node's description doesn't fit into MaxMeta bytes.
	ErrMetaTooLarge = errors.New("node description too large")
	// ErrMetaVersion: a description has a form that this build doesn't know.
	ErrMetaVersion = errors.New("unknown node description version")
	// ErrBadMeta: a description is truncated or isn't one at all.
	ErrBadMeta = errors.New("bad node description")
)

// NodeID names a node; it is unique in a cluster. See CheckNodeID.
type NodeID string

// Role says what a node does.
type Role string

// Roles.
const (
	RoleCore Role = "core"
	RoleEdge Role = "edge"
)

// State says how far a node is in its life.
type State string

// States. Only ready nodes get new work; draining ones finish what they have.
const (
	StateStarting State = "starting"
	StateReady    State = "ready"
	StateDraining State = "draining"
)

// Node is a node's small description of itself, as gossip carries it.
type Node struct {
	ID     NodeID  `json:"id"`
	Role   Role    `json:"role"`
	Region string  `json:"region"`
	Zone   string  `json:"zone,omitempty"`
	Lat    float64 `json:"lat"` // degrees north
	Lon    float64 `json:"lon"` // degrees east
	State  State   `json:"state"`

	Link   string `json:"link,omitempty"`   // host:port (UDP) of its link listener
	Public string `json:"public,omitempty"` // URL that clients use; edges
	API    string `json:"api,omitempty"`    // host:port of its HTTP API; cores
	Log    string `json:"log,omitempty"`    // where other cores reach its log, and in what state it is; see core/log.PeerText

	Load     float64 `json:"load"` // 0 idle .. 1 full
	Version  string  `json:"version,omitempty"`
	Regional bool    `json:"regional,omitempty"` // Public is the balanced URL of the whole region
}

// maxNodeID is what a name may have in bytes.
const maxNodeID = 128

// CheckNodeID reports why id can't name a node: names are 1-128 bytes of UTF-8
// without spaces, control characters and slashes.
func CheckNodeID(id NodeID) error {
	s := string(id)
	switch {
	case s == "":
		return fmt.Errorf("%w: the name is empty", ErrBadNode)
	case len(s) > maxNodeID:
		return fmt.Errorf("%w: the name has %d bytes, at most %d are allowed", ErrBadNode, len(s), maxNodeID)
	case !utf8.ValidString(s):
		return fmt.Errorf("%w: the name %q is not UTF-8", ErrBadNode, s)
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '/' || r >= 0x7f && r <= 0xa0 }):
		return fmt.Errorf("%w: the name %q has a space, slash or control character", ErrBadNode, s)
	}
	return nil
}

// check reports what no node may gossip and none may believe. The ID isn't
// looked at: it travels beside the description.
func (n *Node) check() error {
	switch n.Role {
	case RoleCore, RoleEdge:
	default:
		return fmt.Errorf("%w: role %q", ErrBadNode, n.Role)
	}
	switch n.State {
	case StateStarting, StateReady, StateDraining:
	default:
		return fmt.Errorf("%w: state %q", ErrBadNode, n.State)
	}
	// The comparisons are written so that NaN fails them.
	if !(math.Abs(n.Lat) <= 90 && math.Abs(n.Lon) <= 180) {
		return fmt.Errorf("%w: no place on earth has latitude %v and longitude %v", ErrBadNode, n.Lat, n.Lon)
	}
	if !(n.Load >= 0 && n.Load <= 1) {
		return fmt.Errorf("%w: load %v is not within 0..1", ErrBadNode, n.Load)
	}
	for _, s := range n.texts() {
		if !utf8.ValidString(*s.value) {
			return fmt.Errorf("%w: %s %q is not UTF-8", ErrBadNode, s.name, *s.value)
		}
	}
	return nil
}

type textField struct {
	name  string
	value *string
}

// texts are the free-form fields, in the order in which they travel. The first
// metaTexts travel before the numbers, those of later builds at the end.
func (n *Node) texts() [7]textField {
	return [...]textField{
		{"region", &n.Region},
		{"zone", &n.Zone},
		{"link", &n.Link},
		{"public", &n.Public},
		{"api", &n.API},
		{"version", &n.Version},
		{"log", &n.Log},
	}
}

const metaTexts = 6
