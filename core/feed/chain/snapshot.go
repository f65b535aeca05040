package chain

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"selvedge/wire"
)

// A snapshot is: magic, the epoch behind its length in one byte, then, big
// endian, the log's number in 2 bytes, pos and base in 8 each, 24 bytes for each
// channel (key, position, time), and a checksum of all that in 4.
const (
	magic      = "selvedge chain 1"
	entryBytes = 24
)

// Errors of snapshots.
var (
	// errDamaged: a snapshot is cut, or its checksum is wrong.
	errDamaged = errors.New("it is damaged")
	// errForeign: a snapshot is of another epoch, or of another log.
	errForeign = errors.New("it is of another epoch")
	// errAhead: the log ends before the snapshot does.
	errAhead = errors.New("the log ends before it")
)

// snapshot is what a file of channels says beside them.
type snapshot struct {
	epoch     string
	p         wire.LogID
	pos, base wire.Seq
}

func (s *snapshot) appendHead(b []byte) []byte {
	b = append(b, magic...)
	b = append(append(b, byte(len(s.epoch))), s.epoch...)
	b = binary.BigEndian.AppendUint16(b, uint16(s.p))
	b = binary.BigEndian.AppendUint64(b, uint64(s.pos))
	return binary.BigEndian.AppendUint64(b, uint64(s.base))
}

func appendEntry(b []byte, k wire.Key, l Last) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(k))
	b = binary.BigEndian.AppendUint64(b, uint64(l.Seq))
	return binary.BigEndian.AppendUint64(b, uint64(l.TS))
}

// parse reads a snapshot; entries are for eachEntry.
func parse(b []byte) (s snapshot, entries []byte, err error) {
	n := len(b) - 4
	if n < len(magic)+1+18 || string(b[:len(magic)]) != magic ||
		binary.BigEndian.Uint32(b[n:]) != crc32.Checksum(b[:n], castagnoli) {
		return s, nil, errDamaged
	}
	b = b[len(magic):n]
	size := int(b[0])
	if b = b[1:]; len(b) < size+18 || (len(b)-size-18)%entryBytes != 0 {
		return s, nil, errDamaged
	}
	s.epoch, b = string(b[:size]), b[size:]
	s.p = wire.LogID(binary.BigEndian.Uint16(b))
	s.pos, s.base = wire.Seq(binary.BigEndian.Uint64(b[2:])), wire.Seq(binary.BigEndian.Uint64(b[10:]))
	return s, b[18:], nil
}

func eachEntry(b []byte, fn func(k wire.Key, l Last)) {
	for ; len(b) >= entryBytes; b = b[entryBytes:] {
		fn(wire.Key(binary.BigEndian.Uint64(b)), Last{
			Seq: wire.Seq(binary.BigEndian.Uint64(b[8:])), TS: int64(binary.BigEndian.Uint64(b[16:])),
		})
	}
}

func (c *Chain) snapshotPath() string {
	return filepath.Join(c.cfg.Dir, fmt.Sprintf("%02d.last", c.cfg.P))
}

// load takes what the folder has, or makes it ready for a new beginning, or
// says why nothing will be kept.
func (c *Chain) load() {
	log := c.cfg.Logger.With("log", c.cfg.P, "folder", c.cfg.Dir)
	if err := os.MkdirAll(c.cfg.Dir, 0o750); err != nil {
		log.Error("where channels end can't be kept: every start reads all frames", "err", err)
		return
	}
	c.pages = newPages(c.cfg.Dir, c.cfg.Epoch, c.cfg.P)
	err := c.readSnapshot()
	if err == nil {
		return
	}
	if !errors.Is(err, fs.ErrNotExist) || c.cfg.End > c.cfg.Floor {
		log.Warn("where channels end is read again from all frames", "cause", err, "frames", c.cfg.End-c.cfg.Floor)
	}
	if err := c.pages.trim(1 << 63); err != nil { // they may be another epoch's
		log.Warn("old pages can't be removed", "err", err)
	}
}

func (c *Chain) readSnapshot() error {
	b, err := os.ReadFile(c.snapshotPath())
	if err != nil {
		return err
	}
	s, entries, err := parse(b)
	switch {
	case err != nil:
		return err
	case s.epoch != c.cfg.Epoch || s.p != c.cfg.P:
		return errForeign
	case s.pos > c.cfg.End:
		return fmt.Errorf("%w: at %d, it at %d", errAhead, c.cfg.End, s.pos)
	}
	c.pos, c.base = s.pos, s.base
	each := len(entries)/entryBytes/shards*9/8 + 1
	for i := range c.channels {
		c.channels[i] = make(map[wire.Key]Last, each)
	}
	eachEntry(entries, func(k wire.Key, l Last) { c.channels[shardOf(k)][k] = l })
	return nil
}

// writeSnapshot replaces the snapshot by what next returns, until nil: whoever
// reads it, also after a power loss, finds the old one or the new one.
func (c *Chain) writeSnapshot(s snapshot, next func() []byte) (err error) {
	path := c.snapshotPath()
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	sum := crc32.New(castagnoli)
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 64<<10)
	_, err = w.Write(s.appendHead(nil))
	for b := next(); b != nil && err == nil; b = next() {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		_, err = f.Write(sum.Sum(nil))
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	d, err := os.Open(c.cfg.Dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
