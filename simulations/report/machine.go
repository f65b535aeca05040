package report

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Machine is where a simulation ran. It matters for host time only.
type Machine struct {
	System string  `json:"system"`
	CPU    string  `json:"cpu"` // "" = unknown
	CPUs   int     `json:"cpus"`
	Memory float64 `json:"memory_gib"` // 0 = unknown
}

// ThisMachine is the one that this runs on.
func ThisMachine() Machine {
	m := Machine{System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), CPU: field("/proc/cpuinfo", "model name")}
	kib, err := strconv.ParseFloat(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 64)
	if err == nil {
		m.Memory = kib / (1 << 20)
	}
	return m
}

// field is a field of a file of Linux, "" where there is none.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func (m Machine) String() string {
	out := m.System
	if m.CPU != "" {
		out += ", " + m.CPU
	}
	out += fmt.Sprintf(", %d CPUs", m.CPUs)
	if m.Memory > 0 {
		out += fmt.Sprintf(", %.0f GiB", m.Memory)
	}
	return out
}
