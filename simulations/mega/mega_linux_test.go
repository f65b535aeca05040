package mega

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"selvedge/simulations/limits"
)

func testStage() Stage { return Stage{Seed: 1, Stderr: io.Discard, Settle: 100 * time.Millisecond} }

func testChannel() Channel {
	return Channel{Edges: 3, Regions: 2, SocketsPerEdge: 40, InFlight: 8, MessageBytes: 512, Publishes: 2, Gateways: 4, Idle: 0.1}
}

func TestEverybodyOnEveryGatewayGetsIt(t *testing.T) {
	res, err := RunMega(t.Context(), testStage(), testChannel())
	if err != nil {
		t.Fatal(err)
	}
	if res.Sockets != 120 || res.Members != 120 || res.Edges != 3 || res.Regions != 2 {
		t.Errorf("%+v", res)
	}
	for what, s := range map[string]Spread{"ours": res.Last, "floor": res.Floor, "ratio": res.Ratio, "alone": res.FloorAlone} {
		if len(s.Values) != 2 || s.Min <= 0 || s.Median < s.Min || s.Max < s.Median {
			t.Errorf("%s: %+v", what, s)
		}
	}
	if len(res.Gateway.Values) != 4 || len(res.GatewayFloor.Values) != 4 || len(res.Done) != 3 || len(res.FloorDone) != 3 {
		t.Errorf("gateways: %v, %v, %v, %v", res.Gateway, res.GatewayFloor, res.Done, res.FloorDone)
	}
	// The core sends a message once for each region, not once for each edge or user.
	if res.CoreFrames != 2 {
		t.Errorf("%v frames left the core for each publish", res.CoreFrames)
	}
	if res.Reached != (res.Ratio.Median <= goal) || res.FloorCPU <= 0 || res.EdgeAnonymous <= 0 || res.Relays < 1 {
		t.Errorf("%+v", res)
	}
	sections, err := res.Sections()
	if err != nil {
		t.Fatal(err)
	}
	checkSections(t, sections)
}

// A write that somebody leaves out is noticed, and there is no result.
func TestAMessageThatIsLostIsNoticed(t *testing.T) {
	stage := testStage()
	stage.Lose, stage.Patience = 50, 500*time.Millisecond
	_, err := RunMega(t.Context(), stage, testChannel())
	if err == nil || !strings.Contains(err.Error(), "of 40 messages came") {
		t.Errorf("it ended with %v", err)
	}
}

func TestARoomIsOnePublishAndALoopIsMany(t *testing.T) {
	const members, sockets = 300, 60
	res, err := RunRooms(t.Context(), testStage(), Rooms{
		Members: members, Sockets: sockets, Edges: 2, MessageBytes: 512, Publishes: 2, AtOnce: 4, Batch: 50, Most: 60,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Rows) != 7 {
		t.Fatalf("%d rows: %+v", len(res.Rows), res.Rows)
	}
	for i, row := range res.Rows {
		channels := []int{1, sockets, sockets, sockets, members, members, members}[i]
		if row.Channels != channels || row.Published != channels || row.Extrapolated || row.Receipts != sockets {
			t.Errorf("row %d: %+v", i, row)
		}
		if row.Handler <= 0 || row.Whole != row.Handler || row.Last <= 0 {
			t.Errorf("row %d: %+v", i, row)
		}
		// What is stored is the messages, and not much more.
		if least := float64(channels) * 400; row.Stored < least || row.Stored > 2*least+4096 {
			t.Errorf("row %d, %d channels: %v bytes stored", i, channels, row.Stored)
		}
	}
	sections, err := res.Sections()
	if err != nil {
		t.Fatal(err)
	}
	checkSections(t, sections)
}

// So is a loop over those who are connected, if they are many.
func TestALongLoopOverTheConnectedIsExtrapolated(t *testing.T) {
	const everybody = probe + 100
	res, err := RunRooms(t.Context(), testStage(), Rooms{
		Members: everybody, Sockets: everybody, Edges: 1, MessageBytes: 512, Publishes: 1, AtOnce: 2, Batch: 10, Most: 0.001,
	})
	if err != nil {
		t.Fatal(err)
	}
	if row := res.Rows[1]; row.How != "one by one" || !row.Extrapolated || row.Published >= probe || row.Whole <= row.Handler || row.Receipts != int64(row.Published) {
		t.Errorf("%+v", row)
	}
}

// A loop that would take too long is done in part, and its whole is computed.
func TestALongLoopIsExtrapolated(t *testing.T) {
	res, err := RunRooms(t.Context(), testStage(), Rooms{
		Members: 3000, Sockets: 20, Edges: 1, MessageBytes: 512, Publishes: 1, AtOnce: 2, Batch: 10, Most: 0.01,
	})
	if err != nil {
		t.Fatal(err)
	}
	row := res.Rows[4]
	if !row.Extrapolated || row.Published >= row.Channels || row.Whole <= row.Handler {
		t.Errorf("%+v", row)
	}
}

func TestAMachineThatIsLookedAtHasLimits(t *testing.T) {
	l, err := limits.Here()
	if err != nil || l.Files == 0 || l.Memory == 0 {
		t.Errorf("%+v, %v", l, err)
	}
	s := Default()
	s.Mega.Edges, s.Rooms.Members = 2, 100
	s.Rooms.Sockets = 100
	if err := Fits(nil, nil); err != nil {
		t.Error(err)
	}
	if err := Fits(&s.Mega, &s.Rooms); err != nil {
		t.Error(err)
	}
	if err := Fits(&Channel{Edges: 1, SocketsPerEdge: 10_000_000}, nil); !errors.Is(err, ErrLimit) {
		t.Errorf("ten million sockets at an edge: %v", err)
	}
}
