package directory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"selvedge/wire"
)

// memTable is how much of the view may be in memory only, twice at most. It is
// what must be read again from the log after the process was killed.
const memTable = 8 << 20

// store is the database with the lock on its folder, which outlives it.
type store struct {
	*pebble.DB
	lock *pebble.Lock
}

// close writes what is in memory only, and gives the folder free.
func (s store) close() error {
	return errors.Join(s.Flush(), s.Close(), s.lock.Close())
}

// openStore opens the store, or replaces it if it is damaged or of another epoch.
func openStore(cfg Config) (store, wire.Seq, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return store{}, 0, folderError(cfg.Dir, err)
	}
	lock, err := pebble.LockDirectory(cfg.Dir, vfs.Default)
	if err != nil {
		return store{}, 0, folderError(cfg.Dir, err)
	}
	db, applied, err := resume(cfg, lock)
	if why := rebuildReason(err); why != "" {
		cfg.Logger.Warn("directory: the view is built again from the log", slog.String("folder", cfg.Dir), slog.String("reason", why))
		db, applied, err = restart(cfg, lock)
	}
	if err != nil {
		return store{}, 0, errors.Join(folderError(cfg.Dir, err), lock.Close())
	}
	return store{db, lock}, applied, nil
}

// errOtherEpoch: the store is a view of another log.
var errOtherEpoch = errors.New("the log's epoch has changed")

// errDamaged: the store said so when it was last open.
var errDamaged = errors.New("it was found damaged")

// errNew: there is no store yet.
var errNew = errors.New("new")

// rebuildReason is why an error of resume calls for a new store, or "" if a new
// one would fare no better.
func rebuildReason(err error) string {
	switch {
	case err == nil, errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.EROFS):
		return ""
	}
	return err.Error()
}

// resume opens what there is and reads how far it got.
func resume(cfg Config, lock *pebble.Lock) (*pebble.DB, wire.Seq, error) {
	if _, err := os.Stat(filepath.Join(cfg.Dir, damagedMark)); err == nil {
		return nil, 0, errDamaged
	}
	db, err := openPebble(cfg, lock)
	if err != nil {
		return nil, 0, err
	}
	applied, err := readPlace(db, cfg.Epoch)
	if errors.Is(err, errNew) {
		err = begin(db, cfg.Epoch)
	}
	if err != nil {
		return nil, 0, errors.Join(err, db.Close())
	}
	return db, applied, nil
}

// restart empties the folder and begins a new store in it.
func restart(cfg Config, lock *pebble.Lock) (*pebble.DB, wire.Seq, error) {
	entries, err := os.ReadDir(cfg.Dir)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		if e.Name() == "LOCK" { // it is held
			continue
		}
		if err := os.RemoveAll(filepath.Join(cfg.Dir, e.Name())); err != nil {
			return nil, 0, err
		}
	}
	return resume(cfg, lock)
}

func openPebble(cfg Config, lock *pebble.Lock) (db *pebble.DB, err error) {
	// Some damage is met with a panic, by the store's own checks.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("open the store: %v", p)
		}
	}()
	options := &pebble.Options{
		Lock:   lock,
		Logger: storeLogger{cfg.Logger},
		FS:     vfs.Default, // the default adds a watch over slow disks, with goroutines that a failed Open leaves behind
		// The log is the view's write-ahead log: a second one would double the
		// writes and could fail on a full disk, which the store doesn't survive.
		DisableWAL:         true,
		MemTableSize:       memTable,
		CacheSize:          32 << 20,
		FormatMajorVersion: pebble.FormatNewest,
		EventListener:      &pebble.EventListener{DataCorruption: damaged(cfg)},
	}
	for i := range options.Levels {
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // a join asks for keys that don't exist
	}
	return pebble.Open(cfg.Dir, options)
}

// damagedMark is a file that asks the next start for a new store.
const damagedMark = "DAMAGED"

// damaged is told what is found damaged while the store works. Reads of it fail;
// only a start can build it again.
func damaged(cfg Config) func(pebble.DataCorruptionInfo) {
	return func(info pebble.DataCorruptionInfo) {
		cfg.Logger.Error("directory: the store is damaged: start the core again, the view is then built again from the log",
			slog.String("file", info.Path), slog.Any("error", info.Details))
		if err := os.WriteFile(filepath.Join(cfg.Dir, damagedMark), nil, 0o600); err != nil {
			cfg.Logger.Error("directory: mark the store as damaged", slog.Any("error", err))
		}
	}
}

// readPlace is the position up to which db has the log of epoch.
func readPlace(db *pebble.DB, epoch string) (wire.Seq, error) {
	stored, closer, err := db.Get([]byte(epochKey))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, errNew
	}
	if err != nil {
		return 0, err
	}
	same := string(stored) == format+epoch
	if err := closer.Close(); err != nil {
		return 0, err
	}
	if !same {
		return 0, errOtherEpoch
	}
	return readApplied(db)
}

func readApplied(from pebble.Reader) (wire.Seq, error) {
	b, closer, err := from.Get([]byte(appliedKey))
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	seq := binary.BigEndian.Uint64(append(make([]byte, 8-min(8, len(b))), b...))
	return wire.Seq(seq), closer.Close()
}

// begin names the epoch of a new store, durably: everything else may be lost.
func begin(db *pebble.DB, epoch string) error {
	if err := db.Set([]byte(epochKey), []byte(format+epoch), pebble.NoSync); err != nil {
		return err
	}
	return db.Flush()
}

func folderError(dir string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("directory: can't use folder %s: %w: let this user read and write it, or choose another data folder", dir, err)
	case errors.Is(err, syscall.EAGAIN):
		return fmt.Errorf("directory: folder %s is in use by another core: stop it, or choose another data folder", dir)
	}
	return fmt.Errorf("directory: can't use folder %s: %w", dir, err)
}

// storeLogger hands on what the store has to say. Its routine is of no interest.
type storeLogger struct{ to *slog.Logger }

func (l storeLogger) Infof(string, ...any) {}

func (l storeLogger) Errorf(format string, args ...any) {
	l.to.Error("directory: the store reports an error", slog.String("report", fmt.Sprintf(format, args...)))
}

// Fatalf must not return: the store can't go on. Whoever runs the core starts it
// again, and the view resumes from its last number.
func (l storeLogger) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	panic("directory: " + fmt.Sprintf(format, args...))
}
