package fanout

import (
	"fmt"
	"slices"
	"strings"
)

const (
	// kneeMillis is what the last receipt of 99 in 100 publishes may take.
	kneeMillis = 200
	// A packet's headers beside its payload: Ethernet with its preamble and gap 38
	// bytes, IPv4 20 (RFC 791), and TCP with timestamps 32 (RFC 9293, RFC 7323), or UDP 8
	// (RFC 768) with a short QUIC header, a stream frame's and the AEAD tag, about 36 (RFC
	// 9000, sections 17.3 and 19.8; RFC 9001, section 5.3).
	tcpHeaders  = 38 + 20 + 32
	quicHeaders = 38 + 20 + 8 + 36
	// packetBytes is what a packet carries beside them, about.
	packetBytes = 1400
)

// Knee is the first number of gateways, in a mode, whose p99 of the last receipt
// passes 200 ms; N 0 = none did.
type Knee struct {
	Tier string `json:"tier"`
	Mode string `json:"mode"`
	N    int    `json:"n"`
}

// Computed is where a network would be full, which this machine has none of.
type Computed struct {
	Tier       string  `json:"tier"`
	N          int     `json:"n"`                 // the largest that was measured
	PerGateway float64 `json:"bytes_per_gateway"` // out of the centre, with headers, at that N
	// How many publishes/s to N gateways fill the centre's link.
	Rate1  float64 `json:"publishes_per_s_1gbit"`
	Rate10 float64 `json:"publishes_per_s_10gbit"`
	// How many gateways fill it at 100 publishes/s; 0 = any number: what the centre
	// sends does not depend on it.
	Gateways1  float64 `json:"gateways_1gbit_at_100_per_s"`
	Gateways10 float64 `json:"gateways_10gbit_at_100_per_s"`
}

// conclude fills in what follows from the rows.
func (res *Result) conclude() {
	var tiers, modes []string
	for i := range res.Rows {
		if row := &res.Rows[i]; !slices.Contains(tiers, row.Tier) {
			tiers = append(tiers, row.Tier)
		}
		if row := &res.Rows[i]; !slices.Contains(modes, row.Mode) {
			modes = append(modes, row.Mode)
		}
	}
	for _, t := range tiers {
		for _, m := range modes {
			res.Knees = append(res.Knees, Knee{t, m, res.knee(t, m)})
		}
		if c, ok := res.compute(t); ok {
			res.Computed = append(res.Computed, c)
		}
	}
}

// of are the rows of a tier and a mode, by ascending N.
func (res *Result) of(tier, mode string) (out []Row) {
	for _, row := range res.Rows {
		if row.Tier == tier && row.Mode == mode {
			out = append(out, row)
		}
	}
	return out
}

func (res *Result) knee(tier, mode string) int {
	for _, row := range res.of(tier, mode) {
		if row.Last.P99 > kneeMillis {
			return row.N
		}
	}
	return 0
}

// compute says where 1 and 10 Gbit/s are full, by the bytes of single publishes.
func (res *Result) compute(tier string) (c Computed, ok bool) {
	rows := res.of(tier, "single")
	if len(rows) == 0 || rows[len(rows)-1].CentreBytes <= 0 {
		return c, false
	}
	row := rows[len(rows)-1]
	headers, grows := tcpHeaders, true
	if !strings.HasPrefix(tier, "redis") {
		headers, grows = quicHeaders, tier == tierDirect
	}
	packets := max(float64(res.regions), row.CentreBytes/packetBytes)
	if grows { // a packet to each at least
		packets = max(packets, float64(row.N)*float64(1+res.PayloadBytes/packetBytes))
	}
	bits := 8 * (row.CentreBytes + packets*float64(headers))
	c = Computed{Tier: tier, N: row.N, PerGateway: bits / 8 / float64(row.N), Rate1: 1e9 / bits, Rate10: 1e10 / bits}
	if grows {
		c.Gateways1, c.Gateways10 = 1e9/100/8/c.PerGateway, 1e10/100/8/c.PerGateway
	}
	return c, true
}

// sound reports what was broken: nothing may be lost, nor come twice.
func (res *Result) sound() (problems []string) {
	for _, row := range res.Rows {
		if row.Lost != 0 || row.Doubled != 0 {
			problems = append(problems, fmt.Sprintf("%s, %d gateways, %s: %d lost, %d twice", label(row.Tier), row.N, row.Mode, row.Lost, row.Doubled))
		}
	}
	return problems
}

// The hypothesis that is judged: 100 to 500 gateways easily, and saturation at about
// 2,000.
const (
	easyGateways      = 500
	saturatedGateways = 2000
)

// found is what a tier's rows of one mode say of the hypothesis.
type found struct {
	mode  string
	easy  answer // are 500 easy
	about answer // is 2,000 where it ends: yes, or no, since it ends earlier or later
	later bool
	where string // in words
}

type answer uint8

const (
	untried answer = iota
	yes
	no
)

// find looks at the rows of a mode.
func (res *Result) find(tier, mode string) found {
	rows := res.of(tier, mode)
	f := found{mode: mode}
	under, over := 0, 0 // the largest that is not saturated, and the first that is; 0 = none
	for _, row := range rows {
		if row.Last.P99 > kneeMillis {
			over = row.N
			break
		}
		under = row.N
	}
	switch {
	case over == 0:
		f.where = fmt.Sprintf("not saturated up to %d", under)
	case under == 0:
		f.where = fmt.Sprintf("saturated at %d already", over)
	default:
		f.where = fmt.Sprintf("saturated from some number between %d and %d on", under, over)
	}
	switch {
	case over > 0 && over <= easyGateways:
		f.easy = no
	case under >= easyGateways:
		f.easy = yes
	}
	switch {
	case under > saturatedGateways:
		f.about, f.later = no, true
	case over > 0 && over < saturatedGateways:
		f.about = no
	case over > 0:
		f.about = yes
	}
	return f
}

// verdict judges the hypothesis for each tier, in words.
func (res *Result) verdict() (lines []string) {
	for _, t := range res.tiers() {
		lines = append(lines, res.judge(t))
	}
	return lines
}

// judge is a tier's sentence.
func (res *Result) judge(tier string) string {
	var where, easy, hard, fits, earlier, later, open []string
	for _, m := range res.modes() {
		f := res.find(tier, m)
		where = append(where, m+" "+f.where)
		switch f.easy {
		case yes:
			easy = append(easy, m)
		case no:
			hard = append(hard, m)
		case untried:
		}
		switch {
		case f.about == yes:
			fits = append(fits, m)
		case f.about == no && f.later:
			later = append(later, m)
		case f.about == no:
			earlier = append(earlier, m)
		default:
			open = append(open, m)
		}
	}
	var parts []string
	add := func(modes []string, words string) {
		if len(modes) > 0 {
			parts = append(parts, fmt.Sprintf(words, strings.Join(modes, ", ")))
		}
	}
	add(easy, "500 gateways are easy (%s)")
	add(hard, "500 are too many (%s)")
	add(fits, "saturation at about 2,000 fits (%s)")
	add(earlier, "it saturates before 2,000 (%s)")
	add(later, "it saturates beyond 2,000, if at all (%s)")
	add(open, "2,000 were not tried (%s)")
	line := fmt.Sprintf("%s: %s. So %s.", label(tier), strings.Join(where, "; "), strings.Join(parts, "; "))
	// Of few gateways the time is the way there, and says nothing of throughput.
	if row := res.largest(tier); row != nil && row.N >= easyGateways && row.Last.P50 > 0 {
		perSecond := float64(row.N) / row.Last.P50 * 1000
		line += fmt.Sprintf(" One publish to %d makes %.0f deliveries/s; computed from that alone, 10 publishes/s fill the machine at %.0f gateways, and 100/s at %.0f.", row.N, perSecond, perSecond/10, perSecond/100)
	}
	return line
}
