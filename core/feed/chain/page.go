package chain

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"selvedge/wire"
)

const (
	pageBytes = 4096
	// pageLen is how many predecessors a page has, of 8 bytes each. After them
	// stand the page's number and, in the last 4 bytes, a checksum.
	pageLen = (pageBytes - 16) / 8
	// segmentPages is how many pages a file has.
	segmentPages = 1024
	segmentLen   = segmentPages * pageLen
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// pages are the predecessors of one log on disk. Their methods are safe for
// concurrent use, and for a nil one, which has none.
type pages struct {
	dir  string
	p    wire.LogID
	seed uint32 // the epoch's checksum: a page of another one fails its own

	mu    sync.Mutex
	files map[uint64]*os.File // guarded by mu; nil once closed
}

func newPages(dir, epoch string, p wire.LogID) *pages {
	return &pages{dir: dir, p: p, seed: crc32.Checksum([]byte(epoch), castagnoli), files: map[uint64]*os.File{}}
}

func (s *pages) path(segment uint64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%02d-%06d.prev", s.p, segment))
}

// file is the open file of a segment; it is made if create.
func (s *pages) file(segment uint64, create bool) (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		return nil, fs.ErrClosed
	}
	if f := s.files[segment]; f != nil {
		return f, nil
	}
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(s.path(segment), flags, 0o640)
	if err != nil {
		return nil, err
	}
	s.files[segment] = f
	return f, nil
}

// read reads a page, and reports whether it is there and good.
func (s *pages) read(page uint64, into *[pageLen]uint64) bool {
	if s == nil {
		return false
	}
	f, err := s.file(page/segmentPages, false)
	if err != nil {
		return false
	}
	var b [pageBytes]byte
	if _, err := f.ReadAt(b[:], int64(page%segmentPages)*pageBytes); err != nil {
		return false
	}
	return s.decode(page, &b, into)
}

func (s *pages) decode(page uint64, b *[pageBytes]byte, into *[pageLen]uint64) bool {
	if binary.BigEndian.Uint32(b[pageBytes-4:]) != crc32.Update(s.seed, castagnoli, b[:pageBytes-4]) ||
		binary.BigEndian.Uint64(b[pageLen*8:]) != page {
		return false
	}
	for i := range into {
		into[i] = binary.BigEndian.Uint64(b[i*8:])
	}
	return true
}

// encode writes a page; what prevs lacks of it is not known.
func (s *pages) encode(page uint64, prevs []uint64, b *[pageBytes]byte) {
	clear(b[:])
	for i, prev := range prevs {
		binary.BigEndian.PutUint64(b[i*8:], prev)
	}
	binary.BigEndian.PutUint64(b[pageLen*8:], page)
	binary.BigEndian.PutUint32(b[pageBytes-4:], crc32.Update(s.seed, castagnoli, b[:pageBytes-4]))
}

// write writes pages from one on, durably; the last one may be a part.
func (s *pages) write(page uint64, prevs []uint64) error {
	var b [pageBytes]byte
	var touched *os.File
	for len(prevs) > 0 {
		f, err := s.file(page/segmentPages, true)
		if err != nil {
			return err
		}
		if touched != nil && touched != f {
			if err := touched.Sync(); err != nil {
				return err
			}
		}
		touched = f
		n := min(len(prevs), pageLen)
		s.encode(page, prevs[:n], &b)
		if _, err := f.WriteAt(b[:], int64(page%segmentPages)*pageBytes); err != nil {
			return err
		}
		page, prevs = page+1, prevs[n:]
	}
	if touched == nil {
		return nil
	}
	return touched.Sync()
}

// trim removes the segments whose frames all lie at or below floor, but for the
// last one: a way back from a later frame may go through it.
func (s *pages) trim(floor wire.Seq) error {
	if s == nil {
		return nil
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		segment, ok := s.segment(e.Name())
		if !ok || (segment+2)*segmentLen > uint64(floor) {
			continue
		}
		s.mu.Lock()
		f := s.files[segment]
		delete(s.files, segment)
		s.mu.Unlock()
		if f != nil {
			err = errors.Join(err, f.Close())
		}
		err = errors.Join(err, os.Remove(s.path(segment)))
	}
	return err
}

// segment is the number of a file's segment, if it is one of this log.
func (s *pages) segment(name string) (n uint64, ok bool) {
	var p wire.LogID
	if _, err := fmt.Sscanf(name, "%d-%d.prev", &p, &n); err != nil || p != s.p {
		return 0, false
	}
	return n, name == filepath.Base(s.path(n))
}

// close closes the files: what is read afterwards is not known.
func (s *pages) close() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, f := range s.files {
		err = errors.Join(err, f.Close())
	}
	s.files = nil
	return err
}
