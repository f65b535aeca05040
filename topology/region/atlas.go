package region

import (
	"cmp"
	"embed"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"selvedge/topology"
)

//go:embed data
var data embed.FS

// atlas is the embedded data, read once and never modified.
var atlas = sync.OnceValue(func() *maps {
	m, err := load(data)
	if err != nil {
		// The data is part of the program, and the tests read it.
		panic(fmt.Errorf("region: embedded data: %w", err))
	}
	return m
})

type maps struct {
	all     []Region // sorted by name
	byName  map[string]Region
	figures []Region // the Azure regions that some table has, sorted by name
	recent  table    // 2026
	older   table    // 2025, more regions
}

// table holds round-trip times between regions of Azure, by display name.
type table struct {
	index map[string]int
	ms    [][]float64 // from, to; zero where there is no figure
}

// newTable is an empty table of some regions.
func newTable(names []string) table {
	t := table{index: map[string]int{}, ms: make([][]float64, len(names))}
	for i, name := range names {
		t.index[name] = i
		t.ms[i] = make([]float64, len(names))
	}
	return t
}

func (t table) between(a, b string) (time.Duration, bool) {
	i, okA := t.index[a]
	j, okB := t.index[b]
	if !okA || !okB {
		return 0, false
	}
	x, y := t.ms[i][j], t.ms[j][i]
	switch {
	case x > 0 && y > 0:
		x = (x + y) / 2
	case y > 0:
		x = y
	}
	return time.Duration(x * float64(time.Millisecond)), x > 0
}

func (t table) has(name string) bool {
	_, ok := t.index[name]
	return ok
}

// figure returns the measured time between two Azure regions.
func (m *maps) figure(a, b string) (time.Duration, bool) {
	if a == "" || b == "" || a == b {
		return 0, false
	}
	if d, ok := m.recent.between(a, b); ok {
		return d, true
	}
	return m.older.between(a, b)
}

// figuresOf names the Azure region whose figures hold for r, "" if none is near.
func (m *maps) figuresOf(r Region) string {
	best, bestKm := "", math.Inf(1)
	for _, f := range m.figures {
		if f.azure == r.azure {
			return f.azure
		}
		if km := topology.DistanceKm(r.Lat, r.Lon, f.Lat, f.Lon); km <= borrowKm && km < bestKm {
			best, bestKm = f.azure, km
		}
	}
	return best
}

func load(files fs.FS) (*maps, error) {
	m := &maps{byName: map[string]Region{}}
	var err error
	if m.recent, err = loadRecent(files); err != nil {
		return nil, err
	}
	if m.older, err = loadOlder(files); err != nil {
		return nil, err
	}
	for _, step := range []func(fs.FS) error{m.addAzure, m.addAliases, m.addPlaces} {
		if err := step(files); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(m.all, func(a, b Region) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(m.figures, func(a, b Region) int { return cmp.Compare(a.Name, b.Name) })
	return m, nil
}

func (m *maps) add(r Region) error {
	if _, taken := m.byName[r.Name]; taken {
		return fmt.Errorf("region %q is there twice", r.Name)
	}
	m.byName[r.Name] = r
	m.all = append(m.all, r)
	return nil
}

func (m *maps) addAzure(files fs.FS) error {
	b, err := fs.ReadFile(files, "data/region_coordinates_azure.json")
	if err != nil {
		return err
	}
	var raw map[string]struct {
		Lat, Lon    float64
		DisplayName string
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	for name, v := range raw {
		r := Region{Name: name, Title: "Azure " + v.DisplayName, Lat: v.Lat, Lon: v.Lon, azure: v.DisplayName}
		if err := m.add(r); err != nil {
			return err
		}
		if m.recent.has(r.azure) || m.older.has(r.azure) {
			m.figures = append(m.figures, r)
		}
	}
	return nil
}

func (m *maps) addAliases(files fs.FS) error {
	rows, err := readCSV(files, "data/aliases.csv")
	if err != nil {
		return err
	}
	for _, row := range rows[1:] {
		r, ok := m.byName[row[1]]
		if !ok {
			return fmt.Errorf("aliases.csv: no Azure region %q", row[1])
		}
		r.Name, r.Title = row[0], row[2]
		if err := m.add(r); err != nil {
			return err
		}
	}
	return nil
}

func (m *maps) addPlaces(files fs.FS) error {
	rows, err := readCSV(files, "data/places.csv")
	if err != nil {
		return err
	}
	for _, row := range rows[1:] {
		lat, lon, ok := parsePlace(row[1] + "," + row[2])
		if !ok {
			return fmt.Errorf("places.csv: %q has no place", row[0])
		}
		if err := m.add(Region{Name: row[0], Title: row[3], Lat: lat, Lon: lon}); err != nil {
			return err
		}
	}
	return nil
}

func loadRecent(files fs.FS) (table, error) {
	b, err := fs.ReadFile(files, "data/rtt_azure_2026-07.json")
	if err != nil {
		return table{}, err
	}
	var raw struct {
		Regions []string
		P50     [][]float64
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return table{}, err
	}
	t := newTable(raw.Regions)
	for i, row := range raw.P50 {
		for j, ms := range row {
			if i != j {
				t.ms[i][j] = ms
			}
		}
	}
	return t, nil
}

func loadOlder(files fs.FS) (table, error) {
	rows, err := readCSV(files, "data/rtt_azure_2025-06_50x50_p50.csv")
	if err != nil {
		return table{}, err
	}
	to := rows[0][1:]
	names := slices.Clone(to)
	for _, row := range rows[1:] {
		if !slices.Contains(names, row[0]) {
			names = append(names, row[0])
		}
	}
	t := newTable(names)
	for _, row := range rows[1:] {
		for j, cell := range row[1:] {
			if cell == "" || row[0] == to[j] {
				continue
			}
			ms, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				return table{}, fmt.Errorf("from %s to %s: %w", row[0], to[j], err)
			}
			t.ms[t.index[row[0]]][t.index[to[j]]] = ms
		}
	}
	return t, nil
}

func readCSV(files fs.FS, name string) ([][]string, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrInvalid)
	}
	return rows, nil
}
