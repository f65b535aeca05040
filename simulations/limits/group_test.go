package limits

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestControlGroupsAreFound(t *testing.T) {
	one := groupDirs(groups, []byte("9:name=systemd:/\n4:memory:/a/b\n3:cpuset:/\n"), "memory")
	if got := strings.Join(one, " "); got != "/sys/fs/cgroup/memory/a/b /sys/fs/cgroup/memory/a /sys/fs/cgroup/memory" {
		t.Errorf("version 1: %s", got)
	}
	two := groupDirs(groups, []byte("0::/user.slice/x\n"), "memory")
	if !slices.Equal(two, []string{"/sys/fs/cgroup/user.slice/x", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"}) {
		t.Errorf("version 2: %v", two)
	}
	if dirs := groupDirs(groups, []byte("nonsense\n\n"), "memory"); dirs != nil {
		t.Errorf("nonsense: %v", dirs)
	}
}

// The least of a group's and its parents' is what is left, and cached files don't
// count.
func TestTheMemoryOfAGroup(t *testing.T) {
	for name, c := range map[string]struct {
		groups string
		files  map[string]string
		want   int64
	}{
		"no limit": {"0::/a/b\n", map[string]string{"a/b/memory.max": "max", "a/b/memory.current": "500"}, 0},
		"own":      {"0::/a/b\n", map[string]string{"a/b/memory.max": "1000", "a/b/memory.current": "300", "a/memory.max": "5000", "a/memory.current": "300"}, 700},
		"parent's": {"0::/a/b\n", map[string]string{"a/b/memory.max": "max", "a/memory.max": "1000", "a/memory.current": "900"}, 100},
		"cached":   {"0::/a/b\n", map[string]string{"a/b/memory.max": "1000", "a/b/memory.current": "900", "a/b/memory.stat": "anon 5\ninactive_file 600\nactive_file 7\n"}, 700},
		"all":      {"0::/a\n", map[string]string{"a/memory.max": "1000", "a/memory.current": "1000"}, 1},
		"version 1": {"4:memory:/a\n", map[string]string{
			"memory/a/memory.limit_in_bytes": "1000", "memory/a/memory.usage_in_bytes": "800", "memory/a/memory.stat": "inactive_file 1\ntotal_inactive_file 300\n",
		}, 500},
		"version 1, no limit": {"4:memory:/a\n", map[string]string{"memory/a/memory.limit_in_bytes": "9223372036854771712", "memory/a/memory.usage_in_bytes": "800"}, 0},
	} {
		dir := t.TempDir()
		for file, text := range c.files {
			path := filepath.Join(dir, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := memoryOf(groupDirs(dir, []byte(c.groups), "memory")); got != c.want {
			t.Errorf("%s: %d are left, want %d", name, got, c.want)
		}
	}
}

func TestZeroIsNoLimit(t *testing.T) {
	if Least(0, 7, 3, 0) != 3 || Least(0, 0) != 0 || Left(0, 5) != 0 || Left(9, 5) != 4 || Left(5, 5) != 1 {
		t.Error("zero is a limit that isn't there")
	}
}
