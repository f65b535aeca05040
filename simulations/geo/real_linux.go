package geo

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// detach keeps what is typed to interrupt this process from its children: it ends them itself,
// in their order.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// machineTicks is how long this machine's CPUs were busy and idle so far: proc(5), /proc/stat.
func machineTicks() (busy, idle float64) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	for i, field := range bytes.Fields(line) {
		n, err := strconv.ParseFloat(string(field), 64)
		switch {
		case err != nil: // "cpu"
		case i == 4 || i == 5: // idle, and waiting for a disk
			idle += n
		case i <= 8: // guests are counted twice
			busy += n
		}
	}
	return busy, idle
}
