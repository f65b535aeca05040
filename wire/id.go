package wire

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
)

// Ids and quantities. They are distinct types so that a user can't be passed
// for a room, nor a position of one log for a count.
type (
	// UserID names a user: 1-128 bytes of UTF-8, see CheckID.
	UserID string
	// RoomID names a room, by the same rules.
	RoomID string
	// Channel is a full channel name: "room:<id>", "inbox:<user>", "topic:<id>".
	Channel string
	// Seq is a position in a log; the first record has 1, zero means before it.
	Seq uint64
	// LogID is the number of a frame log, 0..P-1, or StateLog.
	LogID uint16
	// Key is the 64-bit hash of an interest. Two interests may share one: what
	// is asked for by Key is an over-approximation, and delivery compares names.
	Key uint64
)

// StateLog is the LogID of the one log of users, rooms and memberships.
const StateLog LogID = 0xffff

// Channel kinds, as prefixes of a Channel.
const (
	RoomPrefix  = "room:"
	InboxPrefix = "inbox:"
	TopicPrefix = "topic:"
)

// Errors of ids and channels.
var (
	// ErrBadID: an id is empty, too long, not UTF-8, or has a forbidden form.
	ErrBadID = errors.New("bad id")
	// ErrBadChannel: a channel has an unknown kind or a bad id.
	ErrBadChannel = errors.New("bad channel")
)

// CheckID reports why s can't be an id: ids are 1-128 bytes of UTF-8 without
// control characters, not "." or "..", and don't end in "*".
func CheckID(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("%w: it is empty", ErrBadID)
	case len(s) > MaxID:
		return fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrBadID, len(s), MaxID)
	case s == "." || s == "..":
		return fmt.Errorf("%w: %q is not allowed", ErrBadID, s)
	case strings.HasSuffix(s, "*"):
		return fmt.Errorf("%w: %q must not end in *", ErrBadID, s)
	case !utf8.ValidString(s):
		return fmt.Errorf("%w: %q is not UTF-8", ErrBadID, s)
	}
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return fmt.Errorf("%w: %q has a control character", ErrBadID, s)
		}
	}
	return nil
}

// RoomChannel is the channel of a room.
func RoomChannel(id RoomID) Channel { return Channel(RoomPrefix + string(id)) }

// InboxChannel is the channel of a user's inbox.
func InboxChannel(id UserID) Channel { return Channel(InboxPrefix + string(id)) }

// Check reports why c is no channel.
func (c Channel) Check() error {
	kind, id, ok := strings.Cut(string(c), ":")
	if !ok || kind != "room" && kind != "inbox" && kind != "topic" {
		return fmt.Errorf("%w %q: use room:<id>, inbox:<user> or topic:<id>", ErrBadChannel, clip(string(c)))
	}
	if err := CheckID(id); err != nil {
		return fmt.Errorf("%w %q: %w", ErrBadChannel, clip(string(c)), err)
	}
	return nil
}

// Room is the room of c, if it is one's channel.
func (c Channel) Room() (RoomID, bool) {
	id, ok := strings.CutPrefix(string(c), RoomPrefix)
	return RoomID(id), ok
}

// Inbox is the user of c, if it is an inbox.
func (c Channel) Inbox() (UserID, bool) {
	id, ok := strings.CutPrefix(string(c), InboxPrefix)
	return UserID(id), ok
}

// IsTopic reports whether c is a topic.
func (c Channel) IsTopic() bool { return strings.HasPrefix(string(c), TopicPrefix) }

// LogOf is the log of a channel in a cluster of logs frame logs. It is fixed
// for a cluster's life.
func LogOf(c Channel, logs int) LogID {
	return LogID(xxhash.Sum64String(string(c)) % uint64(logs))
}

// LogOfBytes is LogOf for a name that is no string.
func LogOfBytes(name []byte, logs int) LogID {
	return LogID(xxhash.Sum64(name) % uint64(logs))
}

// The interests that a downstream can hold, hashed. Their kinds keep them apart.
func interest(kind byte, s string) Key {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write([]byte{kind})
	_, _ = d.WriteString(s)
	return Key(d.Sum64())
}

// FramesKey is the interest in a channel's frames.
func FramesKey(c Channel) Key { return interest('f', string(c)) }

// UserKey is the interest in a user's document.
func UserKey(id UserID) Key { return interest('u', string(id)) }

// RoomKey is the interest in a room's document.
func RoomKey(id RoomID) Key { return interest('r', string(id)) }

// RoomsKey is the interest in the rooms that a user is in.
func RoomsKey(id UserID) Key { return interest('m', string(id)) }

// MembersKey is the interest in the members of a room.
func MembersKey(id RoomID) Key { return interest('M', string(id)) }

// clip shortens a stranger's string for an error message.
func clip(s string) string {
	if len(s) <= 160 {
		return s
	}
	return strings.ToValidUTF8(s[:160], "") + "…"
}
