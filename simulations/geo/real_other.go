//go:build !linux

package geo

import "os/exec"

func detach(*exec.Cmd) {}

func machineTicks() (busy, idle float64) { return 0, 0 }
