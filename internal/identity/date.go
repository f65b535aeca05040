package identity

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// date is a token's NumericDate (RFC 7519, section 2), to the second. The zero
// value is one that isn't there. The library's would allocate four times for
// each.
type date struct {
	set bool
	at  int64 // Unix seconds
}

func (d date) time() time.Time { return time.Unix(d.at, 0) }

// maxDate is beyond every date that is meant, in Unix seconds, and times of it
// can still be added to.
const maxDate = 1 << 40

// UnmarshalJSON takes a number; a fraction is cut off.
func (d *date) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("a date that is no number: %w", err)
	}
	*d = date{true, int64(math.Min(math.Max(f, -maxDate), maxDate))}
	return nil
}
