package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"selvedge/simulations/load"
	"selvedge/wire"
)

// team is an organization as welcomes are measured with: the same one in every
// run. Its documents are like those of a messenger, of a fixed size in msgpack.
// The first rooms have everyone; the others have fewer the higher their number
// is, as Zipf has it for the sizes of groups.
type team struct{ users, rooms, perUser int }

const (
	userBytes = 400 // of a user's document
	roomBytes = 300 // of a room's
	// forAll is how many rooms everyone is in: general, random, announcements.
	forAll = 3
)

var (
	teamFirst = strings.Fields("Ada Ben Chloé Dmitri Eun-ji Fatima Goran Hana Ines João Kofi Lena Mateo Nia Olu Priya Quentin Rosa Søren Tariq Uma Viktor Wen Ximena Yusuf Zoë")
	teamLast  = strings.Fields("Abe Bauer Castillo Dubois Eze Fischer García Haddad Ivanov Jansen Kim Larsen Müller Novák Okafor Park Quiroga Rossi Singh Tanaka Ueda Vargas Walker Xu Yılmaz Zhou")
	teamTitle = strings.Fields("Weaver Dyer Spinner Tailor Buyer Designer Engineer Analyst Manager Support")
	teamZones = strings.Fields("America/New_York Europe/Berlin Asia/Tokyo Africa/Lagos America/Sao_Paulo Asia/Kolkata Australia/Sydney Europe/Lisbon")
)

// user is the document of user n.
func (t team) user(n int) wire.Data {
	r := rand.New(rand.NewPCG(2, uint64(n)))
	first, last := pick(r, teamFirst), pick(r, teamLast)
	return padded(userBytes, func(pad string) string {
		return fmt.Sprintf(`{"name":%q,"real_name":%q,"email":"%s.%d@example.com","title":%q,"tz":%q,"phone":"+1555%07d","avatar":"https://avatars.example.com/%016x/72.png","status":{"emoji":":%s:","text":%q},"updated":%d,"admin":%t,"profile":%q}`,
			first+" "+last, first+" "+last, strings.ToLower(last), n, pick(r, teamTitle), pick(r, teamZones), r.IntN(1e7), r.Uint64(),
			pick(r, teamWords), pick(r, teamWords), 1_700_000_000+r.IntN(1e7), r.IntN(50) == 0, pad)
	}, r)
}

// room is the document of room n.
func (t team) room(n int) wire.Data {
	r := rand.New(rand.NewPCG(3, uint64(n)))
	return padded(roomBytes, func(pad string) string {
		return fmt.Sprintf(`{"name":"%s-%s-%d","creator":%q,"created":%d,"private":%t,"archived":false,"topic":{"value":%q,"by":%q},"purpose":%q}`,
			pick(r, teamWords), pick(r, teamWords), n, load.UserID(userPrefix, r.IntN(t.users)), 1_600_000_000+r.IntN(1e8), r.IntN(3) == 0,
			pick(r, teamWords)+" and "+pick(r, teamWords), load.UserID(userPrefix, r.IntN(t.users)), pad)
	}, r)
}

var teamWords = strings.Fields("warp weft selvedge indigo loom shuttle bobbin heddle reed treadle twill denim canvas thread spool yarn dye vat bolt hem seam ply skein carding fulling madder woad")

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

// padded is the document that text makes with a pad of words, which gives it size
// bytes. What text draws is drawn once.
func padded(size int, text func(pad string) string, r *rand.Rand) wire.Data {
	const mark = "\x1a"
	bare := text(mark)
	var pad strings.Builder
	for pad.Len() < size {
		pad.WriteString(pick(r, teamWords) + " ")
	}
	for n := size; ; {
		d, err := wire.ParseJSON([]byte(strings.Replace(bare, strconv.Quote(mark), strconv.Quote(pad.String()[:n]), 1)))
		if err != nil {
			panic(err) // the text is a constant
		}
		if len(d) <= size || n == 0 {
			return d
		}
		n = max(0, n-(len(d)-size))
	}
}

// roomsOf are the numbers of the rooms that user n is in, ascending.
func (t team) roomsOf(n int) []int {
	r := rand.New(rand.NewPCG(4, uint64(n)))
	in := map[int]bool{}
	for i := range min(forAll, t.perUser) {
		in[i] = true
	}
	for len(in) < min(t.perUser, t.rooms) {
		// Uniform in the logarithm: room n is 1/n as likely as the first.
		in[min(int(math.Exp(r.Float64()*math.Log(float64(t.rooms+1))))-1, t.rooms-1)] = true
	}
	out := make([]int, 0, len(in))
	for room := range in {
		out = append(out, room)
	}
	slices.Sort(out)
	return out
}

// members are the users of each room, for the first of the team's users.
func (t team) members(users int) [][]int {
	out := make([][]int, t.rooms)
	for u := range users {
		for _, room := range t.roomsOf(u) {
			out[room] = append(out[room], u)
		}
	}
	return out
}

// snapshot is all that a client without an edge has to fetch before it shows
// something: every user, every room, and where user n is, in the form that a
// welcome has.
func (t team) snapshot(n int) []byte {
	var b []byte
	for i := range t.users {
		b = wire.AppendUserInfo(b, &wire.UserInfo{ID: wire.UserID(load.UserID(userPrefix, i)), V: wire.Seq(i + 1), Data: t.user(i)})
	}
	for i := range t.rooms {
		b = wire.AppendRoomInfo(b, &wire.RoomInfo{ID: roomID(i), Seq: wire.Seq(i), MemberCount: 1, V: wire.Seq(t.users + i), Data: t.room(i)})
	}
	var memberships []wire.Membership
	for _, room := range t.roomsOf(n) {
		memberships = append(memberships, wire.Membership{Room: roomID(room), From: 1, V: wire.Seq(t.users + t.rooms + room)})
	}
	tail, err := wire.Msgpack.Append(nil, memberships)
	if err != nil {
		panic(err) // nothing in it can't be encoded
	}
	return append(b, tail...)
}
