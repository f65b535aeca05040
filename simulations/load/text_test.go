package load

import (
	"bytes"
	"errors"
	"testing"
)

func TestTextsAreVariedAndTheSameForASeed(t *testing.T) {
	texts := Texts{Seed: 7, Size: 1024}
	other := Texts{Seed: 8, Size: 1024}
	var all, least, most int
	seen := map[string]bool{}
	const n = 300
	for i := range n {
		data, err := texts.Data(i)
		if err != nil {
			t.Fatal(err)
		}
		again, err := texts.Data(i)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, again) {
			t.Fatalf("text %d differs from itself", i)
		}
		unlike, err := other.Data(i)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(data, unlike) || seen[string(data)] {
			t.Fatalf("text %d is no new one", i)
		}
		seen[string(data)] = true
		if err := checkData(data); err != nil {
			t.Fatalf("text %d: %v", i, err)
		}
		text, err := data.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			least = len(text)
		}
		all, least, most = all+len(text), min(least, len(text)), max(most, len(text))
	}
	if mean := all / n; mean < 1024*95/100 || mean > 1024*105/100 || least < 800 || most > 1250 || most-least < 150 {
		t.Errorf("sizes %d to %d, %d in the mean: want about 1024, within an eighth", least, most, all/n)
	}
}

// Whatever byte of a text or its hash changes, it is noticed.
func TestDamageIsFound(t *testing.T) {
	data, err := Texts{Seed: 1, Size: 300}.Data(1)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte("\xa4text"))
	if at < 0 {
		t.Fatal("no text")
	}
	for i := at + 1; i < len(data); i++ {
		damaged := bytes.Clone(data)
		damaged[i] ^= 1
		if err := checkData(damaged); err == nil {
			t.Errorf("byte %d (%q) changed, and nobody noticed", i, data[i])
		}
	}
	// Keys are sorted: sum lies before tags and text.
	sum := bytes.Index(data, []byte("\xa3sum"))
	damaged := bytes.Clone(data)
	damaged[sum+10] ^= 1
	if err := checkData(damaged); !errors.Is(err, errDamaged) {
		t.Errorf("a changed hash: %v", err)
	}
}
