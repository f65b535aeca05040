package storm

import (
	"fmt"

	"selvedge/wire"
)

// Crowd is who is in which room.
type Crowd struct {
	Rooms     int `json:"rooms"`
	Members   int `json:"members"`
	RoomsEach int `json:"rooms_each"`
}

func roomID(i int) wire.RoomID    { return wire.RoomID(fmt.Sprintf("room-%d", i)) }
func channel(i int) wire.Channel  { return wire.RoomChannel(roomID(i)) }
func userID(i int) wire.UserID    { return wire.UserID(fmt.Sprintf("user-%d", i)) }
func (c Crowd) each() int         { return min(c.RoomsEach, c.Rooms) }
func (c Crowd) in(i, nth int) int { return (i*7 + nth) % c.Rooms }

// members are the users of each room.
func (c Crowd) members() [][]wire.UserID {
	in := make([][]wire.UserID, c.Rooms)
	for i := range c.Members {
		for nth := range c.each() {
			room := c.in(i, nth)
			in[room] = append(in[room], userID(i))
		}
	}
	return in
}
