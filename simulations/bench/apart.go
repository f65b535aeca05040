package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// apart keeps the first CPU that this process may use for an edge, and this process
// and what else it starts on the others. The zero value keeps nothing apart.
type apart struct {
	edge []string // what an edge's command line begins with
	all  string   // the CPUs that there were
}

// newApart finds the CPUs, and confines this process to all but the first. It uses
// taskset(1), which becomes what it runs, so that signals reach that.
func newApart(ctx context.Context) (apart, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return apart{}, fmt.Errorf("--apart works on Linux only: %w", err)
	}
	cpus, err := allowedCPUs(string(status))
	if err != nil {
		return apart{}, err
	}
	if len(cpus) < 2 {
		return apart{}, errors.New("--apart needs two CPUs")
	}
	if err := confine(ctx, strings.Join(cpus[1:], ",")); err != nil {
		return apart{}, err
	}
	return apart{edge: []string{"taskset", "-c", cpus[0]}, all: strings.Join(cpus, ",")}, nil
}

// end gives this process its CPUs back.
func (a apart) end() error {
	if a.all == "" {
		return nil
	}
	return confine(context.Background(), a.all)
}

// confine has this process run on some CPUs only, with all that it starts from now on.
func confine(ctx context.Context, cpus string) error {
	out, err := exec.CommandContext(ctx, "taskset", "-a", "-c", "-p", cpus, strconv.Itoa(os.Getpid())).CombinedOutput()
	if err != nil {
		return fmt.Errorf("--apart: taskset: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// allowedCPUs reads a process's status, as /proc has it.
func allowedCPUs(status string) (cpus []string, err error) {
	const name = "Cpus_allowed_list:"
	for line := range strings.Lines(status) {
		list, ok := strings.CutPrefix(line, name)
		if !ok {
			continue
		}
		for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
			from, to, isRange := strings.Cut(part, "-")
			if !isRange {
				to = from
			}
			a, errA := strconv.Atoi(from)
			b, errB := strconv.Atoi(to)
			if err := errors.Join(errA, errB); err != nil {
				return nil, fmt.Errorf("the CPUs in %q: %w", strings.TrimSpace(line), err)
			}
			for cpu := a; cpu <= b; cpu++ {
				cpus = append(cpus, strconv.Itoa(cpu))
			}
		}
		return cpus, nil
	}
	return nil, fmt.Errorf("the system does not say which CPUs a process may use (no %s)", name)
}
