package edge

import (
	"io/fs"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// availableCPUs is how many CPUs this process may use, which may change at any
// time: as many as Go runs goroutines on, or what the control group has.
func availableCPUs() float64 {
	cpus := float64(runtime.GOMAXPROCS(0))
	// Go looks at the quota, too, but rounds it up, and to 2 at least.
	if quota, ok := cgroupQuota(os.DirFS("/")); ok {
		cpus = min(cpus, quota)
	}
	return cpus
}

// cgroupQuota is how many CPUs the control groups of this process allow, the least
// of its own and those above it; not ok if none says. It knows both versions (Linux,
// Documentation/admin-guide/cgroup-v2.rst, cpu.max; scheduler/sched-bwc.rst).
func cgroupQuota(root fs.FS) (cpus float64, ok bool) {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(rest, ":")
		mount := "sys/fs/cgroup"
		switch {
		case controllers == "":
		case strings.Contains(","+controllers+",", ",cpu,"):
			mount += "/cpu"
		default:
			continue
		}
		// In a container the group may be named as the host has it: then its folder is
		// not there, and the mount's own is the container's.
		for dir := path.Join(mount, group); strings.HasPrefix(dir, mount); dir = path.Dir(dir) {
			if q, found := quotaOf(root, dir); found && (!ok || q < cpus) {
				cpus, ok = q, true
			}
		}
	}
	return cpus, ok
}

// quotaOf is the quota of one group.
func quotaOf(root fs.FS, dir string) (cpus float64, ok bool) {
	var quota, period string
	if max, err := fs.ReadFile(root, dir+"/cpu.max"); err == nil {
		quota, period, _ = strings.Cut(strings.TrimSpace(string(max)), " ")
	} else {
		q, _ := fs.ReadFile(root, dir+"/cpu.cfs_quota_us")
		p, _ := fs.ReadFile(root, dir+"/cpu.cfs_period_us")
		quota, period = strings.TrimSpace(string(q)), strings.TrimSpace(string(p))
	}
	q, err1 := strconv.ParseFloat(quota, 64) // "max" and -1 are no quota
	p, err2 := strconv.ParseFloat(period, 64)
	return q / p, err1 == nil && err2 == nil && q > 0 && p > 0
}
