package faults

import (
	"io/fs"
	"os"
	"path/filepath"
)

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
