package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/cespare/xxhash/v2"

	"selvedge/wire"
)

// From is who publishes the messages of a measurement.
const From = "bench"

// Texts makes messages of varied JSON: the same seed gives the same ones.
// Safe for concurrent use.
type Texts struct {
	Seed uint64
	// Size is the mean size of a message's data as JSON, in bytes; sizes lie
	// within an eighth of it.
	Size int
}

// words make the messages differ in text.
var words = strings.Fields("warp weft selvedge indigo loom shuttle bobbin heddle reed treadle twill denim canvas thread " +
	"spool yarn dye vat bolt hem seam ply skein carding fulling madder woad Jacquard übergang naïve crêpe")

// body is the data of a message. Sum is the hash of Text.
type body struct {
	N      int      `json:"n"`
	Kind   string   `json:"kind"`
	Author author   `json:"author"`
	Tags   []string `json:"tags"`
	Edited bool     `json:"edited"`
	Score  float64  `json:"score"`
	Text   string   `json:"text"`
	Sum    string   `json:"sum"`
}

type author struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Data is the data of message n.
func (t Texts) Data(n int) (wire.Data, error) {
	r := rand.New(rand.NewPCG(t.Seed, uint64(n)))
	word := func() string { return words[r.IntN(len(words))] }
	b := body{
		N: n, Kind: word(), Author: author{ID: fmt.Sprintf("u%d", r.IntN(1e5)), Name: word() + " " + word()},
		Edited: r.IntN(4) == 0, Score: float64(r.IntN(1000)) / 8, Tags: []string{}, Sum: strings.Repeat("0", 16),
	}
	for range r.IntN(4) {
		b.Tags = append(b.Tags, word())
	}
	bare, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	spread := max(t.Size/8, 1)
	left := t.Size - spread + r.IntN(2*spread) - len(bare)
	var text strings.Builder
	for text.Len() < left {
		text.WriteString(word())
		text.WriteByte(' ')
	}
	b.Text = text.String()
	b.Sum = sum(b.Text)
	whole, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	return wire.ParseJSON(whole)
}

func sum(text string) string { return fmt.Sprintf("%016x", xxhash.Sum64String(text)) }

// errDamaged: a message's text is not the one that was sent.
var errDamaged = errors.New("the text doesn't fit its hash")

// checkData reports whether data is whole.
func checkData(data wire.Data) error {
	var b body
	if err := wire.Msgpack.DecodeStrict(data, &b); err != nil {
		return err
	}
	if b.Text == "" || sum(b.Text) != b.Sum {
		return errDamaged
	}
	return nil
}
