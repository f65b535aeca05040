package top

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"selvedge/wire"
)

// none stands for what nobody has told.
const none = "-"

// count is a number of things: whole, and short when it is large.
func count(f float64) string {
	switch {
	case math.IsNaN(f):
		return none
	case math.Abs(f) < 99_999.5:
		return strconv.FormatFloat(math.Round(f), 'f', 0, 64)
	}
	return short(f, "k", "M", "G", "T")
}

// rate is a number per second.
func rate(f float64) string {
	if f > 0 && f < 9.95 {
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return count(f)
}

// size is a number of bytes.
func size(f float64) string {
	switch {
	case math.IsNaN(f):
		return none
	case f < 999.5:
		return strconv.FormatFloat(math.Round(f), 'f', 0, 64) + "B"
	}
	return short(f, "kB", "MB", "GB", "TB")
}

// short is f, at least 999.5, in the first unit, of thousands each, that makes it
// less than a thousand; to three digits at least.
func short(f float64, units ...string) string {
	for i, unit := range units {
		f /= 1000
		if f < 99.95 {
			return strconv.FormatFloat(f, 'f', 1, 64) + unit
		}
		if f < 999.5 || i == len(units)-1 {
			return strconv.FormatFloat(f, 'f', 0, 64) + unit
		}
	}
	return none
}

// fixed is a share of one.
func fixed(f float64) string {
	if math.IsNaN(f) {
		return none
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

// millis is a time in milliseconds.
func millis(f float64) string {
	switch {
	case math.IsNaN(f):
		return none
	case math.Abs(f) < 9.95:
		return strconv.FormatFloat(f, 'f', 1, 64) + "ms"
	case math.Abs(f) < 9999.5:
		return strconv.FormatFloat(f, 'f', 0, 64) + "ms"
	}
	return age(f / 1000)
}

// age is a time in seconds, in its two largest units.
func age(seconds float64) string {
	if math.IsNaN(seconds) {
		return none
	}
	s := int64(seconds)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86_400:
		return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%dd%02dh", s/86_400, s%86_400/3600)
}

// many is a number of things by their name.
func many(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// ranges are ids in ascending order, as 0-3 7 9-15.
func ranges(ids []wire.LogID) string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	var parts []string
	for i := 0; i < len(ids); {
		last := i
		for last+1 < len(ids) && ids[last+1] == ids[last]+1 {
			last++
		}
		if last == i {
			parts = append(parts, fmt.Sprint(ids[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", ids[i], ids[last]))
		}
		i = last + 1
	}
	return strings.Join(parts, " ")
}
