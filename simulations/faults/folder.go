package faults

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	tmpfsBytes = 64 << 20
	// leftBytes is what the disk has left when the log meets its end.
	leftBytes = 4 << 20
)

// mountTmpfs mounts an empty tmpfs at a folder. It fails with errNotHere where that
// can't be.
func mountTmpfs(ctx context.Context, dir string) error {
	if out, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", tmpfsBytes), "selvedge-faults", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: mount a tmpfs (it needs root): %w: %s", errNotHere, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// unmount takes a disk away that a core's data is on, after the core, which holds it.
func (r *run) unmount(dir string) {
	if r.fleet != nil {
		r.fleet.Stop()
	}
	if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
		r.progress("umount %s: %v: %s", dir, err, out)
	}
}

// filler is the file that takes the room on a disk.
func filler(disk string) string { return filepath.Join(disk, "filler") }

// fill writes to a disk until it has little room left.
func fill(disk string) error {
	used := int64(0)
	if err := filepath.WalkDir(disk, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			used += info.Size()
		}
		return nil // a file that was there a moment ago takes no room
	}); err != nil {
		return err
	}
	return os.WriteFile(filler(disk), make([]byte, max(tmpfsBytes-used-leftBytes, 0)), 0o600)
}

// chmodAll changes the mode of a folder and of all folders in it.
func chmodAll(dir string, mode fs.FileMode) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(path, mode)
	})
}

// imageBytes is the size of an ext4 of a part's own; its file is sparse.
const imageBytes = 256 << 20

// mountImage makes an empty ext4 in a file, and mounts it. unmount takes it away,
// and removes both. It fails with errNotHere where that can't be.
func mountImage(ctx context.Context) (disk string, unmount func() error, err error) {
	dir, err := os.MkdirTemp("", "selvedge-disk-")
	if err != nil {
		return "", nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir) // nothing is mounted
		}
	}()
	image, disk := filepath.Join(dir, "image"), filepath.Join(dir, "disk")
	if err := errors.Join(os.Mkdir(disk, 0o750), os.WriteFile(image, nil, 0o600), os.Truncate(image, imageBytes)); err != nil {
		return "", nil, err
	}
	if _, err := exec.LookPath("chattr"); err != nil {
		return "", nil, fmt.Errorf("%w: it needs chattr: %w", errNotHere, err)
	}
	for _, line := range [][]string{{"mkfs.ext4", "-q", "-F", image}, {"mount", "-o", "loop", image, disk}} {
		if out, err := exec.CommandContext(ctx, line[0], line[1:]...).CombinedOutput(); err != nil {
			return "", nil, fmt.Errorf("%w: %s (it needs root, ext4 and loop devices): %w: %s", errNotHere, line[0], err, strings.TrimSpace(string(out)))
		}
	}
	return disk, func() error {
		if out, err := exec.Command("umount", disk).CombinedOutput(); err != nil {
			return fmt.Errorf("umount %s: %w: %s", disk, err, out)
		}
		return os.RemoveAll(dir)
	}, nil
}

// immutable makes a folder and all that is in it take no writes, or take them
// again. Files may come and go meanwhile; it fails if the folder does not obey.
func immutable(dir string, yes bool) error {
	flag := "-i"
	if yes {
		flag = "+i"
	}
	out, _ := exec.Command("chattr", "-R", flag, dir).CombinedOutput() // it complains of files that have gone meanwhile
	probe := filepath.Join(dir, "faults.tmp")
	err := os.WriteFile(probe, nil, 0o600)
	switch {
	case yes && err == nil:
		return fmt.Errorf("chattr %s %s: it takes files all the same: %s", flag, dir, out)
	case yes:
		return nil
	case err != nil:
		return fmt.Errorf("chattr %s: %w: %s", flag, err, out)
	}
	return os.Remove(probe)
}
