package limits

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Left is what remains of a limit: never zero, which would be none.
func Left(limit, used int64) int64 {
	if limit <= 0 {
		return 0
	}
	return max(limit-used, 1)
}

// Least is the smallest of the limits that there are; zeros are none.
func Least(all ...int64) (n int64) {
	for _, l := range all {
		if l > 0 && (n == 0 || l < n) {
			n = l
		}
	}
	return n
}

// Number is field i of a file of numbers; 0 = there is none.
func Number(file string, i int) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if i >= len(fields) {
		return 0
	}
	n, err := strconv.ParseInt(fields[i], 10, 64)
	if err != nil { // "max", or more than one could have
		return 0
	}
	return n
}

// groups is where control groups are.
const groups = "/sys/fs/cgroup"

// GroupMemory is what this process's control group, and those that it is in, may
// still take of memory, in bytes; 0 = there is no limit.
func GroupMemory() int64 { return memoryOf(groupDirs(groups, ownGroups(), "memory")) }

// GroupThreads is what they may have more of threads; 0 = there is no limit.
func GroupThreads() (l int64) {
	for _, dir := range groupDirs(groups, ownGroups(), "pids") {
		if limit := Number(filepath.Join(dir, "pids.max"), 0); limit > 0 {
			l = Least(l, Left(limit, Number(filepath.Join(dir, "pids.current"), 0)))
		}
	}
	return l
}

// unlimited is what the first version of control groups says instead of nothing.
const unlimited = 1 << 60

func memoryOf(dirs []string) (l int64) {
	for _, dir := range dirs {
		for _, names := range [][3]string{
			{"memory.max", "memory.current", "inactive_file"}, {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"},
		} {
			if limit := Number(filepath.Join(dir, names[0]), 0); limit > 0 && limit < unlimited {
				// Cached files that nobody reads are given back when memory is needed.
				used := Number(filepath.Join(dir, names[1]), 0) - stat(filepath.Join(dir, "memory.stat"), names[2])
				l = Least(l, Left(limit, max(used, 0)))
			}
		}
	}
	return l
}

// stat is one of a file of lines with a name and a number; 0 = it isn't there.
func stat(file, name string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// ownGroups is what the kernel says of this process's control groups, if anything.
func ownGroups() []byte {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	return text
}

// groupDirs are the folders of a process's control group of a kind, and of those
// around it, by what /proc/PID/cgroup says.
func groupDirs(top string, text []byte, kind string) (dirs []string) {
	for line := range bytes.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(parts) != 3 {
			continue
		}
		root := top
		switch parts[1] {
		case "":
		case kind:
			root = filepath.Join(root, kind)
		default:
			continue
		}
		for at := filepath.Clean("/" + parts[2]); ; at = filepath.Dir(at) {
			dirs = append(dirs, filepath.Join(root, at))
			if at == "/" {
				break
			}
		}
	}
	return dirs
}
