package postgres

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/evertdb/evert/sources/postgres/pgoutput"
)

// A spill keeps the messages of transactions that the server streams before
// their commit, in memory up to a bound over all of them and beyond it in one file
// each (P26).
//
//	record = xid uint32 · length uint32 · place in the log uint64 · message
//
// A file is written under a key that only this process has, in memory: rows come
// here before anything masks them, and what a mask hides lies on no disk (X12).
//
// Records are kept in the order of arrival. What a savepoint rolled back is not
// cut out but remembered by its xid and left out when the transaction is read
// (P27): the transactions of one stream block may alternate between xids.
type spill struct {
	dir    string
	limit  int64
	most   int64 // that all files together may hold
	memory int64 // bytes of all blocks in use
	disk   int64 // bytes of all files
	txs    map[uint32]*spilled
	free   [][]byte
}

// spilled is one transaction: first what lies in the file, then the blocks.
type spilled struct {
	xid     uint32
	blocks  [][]byte
	bytes   int64 // that its blocks occupy
	file    *os.File
	written int64 // to file
	cipher  cipher.Block
	seal    cipher.Stream // of what is written next
	aborted map[uint32]bool
	asides  []*aside // that stand in its messages
}

const (
	spillBlockBytes  = 128 << 10 // of a large transaction; the first blocks are smaller
	smallBlockBytes  = 1 << 10
	spillHeaderBytes = 16
)

func newSpill(dir string, limit, most int64) *spill {
	return &spill{dir: dir, limit: limit, most: most, txs: map[uint32]*spilled{}}
}

// open makes the directory and removes what a crash left there.
func (s *spill) open() error {
	if s.dir == "" {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make the spill directory: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(s.dir, "*.tx"))
	values, bad := filepath.Glob(filepath.Join(s.dir, "*.value"))
	err = errors.Join(err, bad)
	for _, name := range append(left, values...) {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

func (s *spill) begin(xid uint32) *spilled {
	t := s.txs[xid]
	if t == nil {
		t = &spilled{xid: xid}
		s.txs[xid] = t
	}
	return t
}

// add keeps one message of transaction t, sent for xid, which is t's own or that
// of a part of it.
func (s *spill) add(t *spilled, xid uint32, place lsn, msg []byte) error {
	n := spillHeaderBytes + len(msg)
	last := len(t.blocks) - 1
	if last < 0 || cap(t.blocks[last])-len(t.blocks[last]) < n {
		t.blocks = append(t.blocks, s.block(t, n))
		last++
	}
	b := be.AppendUint32(t.blocks[last], xid)
	b = be.AppendUint64(be.AppendUint32(b, uint32(len(msg))), uint64(place))
	t.blocks[last] = append(b, msg...)
	if s.memory <= s.limit || s.dir == "" {
		return nil
	}
	return s.write(s.largest())
}

// block gives t room for n bytes and, the larger t is, for more: a thousand small
// transactions at once must not occupy a thousand large blocks.
func (s *spill) block(t *spilled, n int) []byte {
	size := max(n, int(min(max(t.bytes, smallBlockBytes), spillBlockBytes)))
	var b []byte
	if last := len(s.free) - 1; last >= 0 && size == spillBlockBytes {
		b, s.free = s.free[last], s.free[:last]
	} else {
		b = make([]byte, 0, size)
	}
	s.memory += int64(cap(b))
	t.bytes += int64(cap(b))
	return b
}

// largest gives the transaction that occupies most.
func (s *spill) largest() *spilled {
	var most *spilled
	for _, t := range s.txs {
		if most == nil || t.bytes > most.bytes {
			most = t
		}
	}
	return most
}

// write moves a transaction's blocks to its file.
func (s *spill) write(t *spilled) (err error) {
	if t.file == nil {
		t.file, err = os.OpenFile(filepath.Join(s.dir, fmt.Sprintf("%d.tx", t.xid)), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err == nil {
			err = t.lock()
		}
		if err != nil {
			return fmt.Errorf("spill a transaction: %w", err)
		}
	}
	for _, b := range t.blocks {
		if s.disk+int64(len(b)) > s.most { // I9
			return s.full(t)
		}
		t.seal.XORKeyStream(b, b)
		n, err := t.file.Write(b)
		t.written, s.disk = t.written+int64(n), s.disk+int64(n)
		if err != nil {
			return fmt.Errorf("spill a transaction: %w", err)
		}
	}
	s.giveBack(t)
	return nil
}

// lock makes the key of a file.
func (t *spilled) lock() (err error) {
	var key [16]byte
	if _, err = rand.Read(key[:]); err != nil {
		return err
	}
	if t.cipher, err = aes.NewCipher(key[:]); err == nil {
		t.seal = t.stream()
	}
	return err
}

// stream is what a file is written and read with, from its beginning. One key
// serves one file, so the counter may begin at zero.
func (t *spilled) stream() cipher.Stream { return cipher.NewCTR(t.cipher, make([]byte, aes.BlockSize)) }

// full stops the source at a transaction that has no room. Nothing of it was
// handed over; with more room it is read again from its beginning.
func (s *spill) full(t *spilled) error {
	return spillFull(fmt.Sprintf("transaction %d", t.xid), "transactions in progress", s.most)
}

func (s *spill) giveBack(t *spilled) {
	for _, b := range t.blocks {
		s.memory -= int64(cap(b))
		if cap(b) == spillBlockBytes && int64(len(s.free))*spillBlockBytes < s.limit {
			s.free = append(s.free, b[:0])
		}
	}
	t.blocks, t.bytes = nil, 0
}

// abort forgets a transaction, or remembers that a part of it is rolled back.
func (s *spill) abort(xid, sub uint32) error {
	t := s.txs[xid]
	if t == nil {
		return nil
	}
	if xid == sub {
		return s.drop(t)
	}
	if t.aborted == nil {
		t.aborted = map[uint32]bool{}
	}
	t.aborted[sub] = true
	return nil
}

// drop forgets a transaction and removes its file.
func (s *spill) drop(t *spilled) error {
	s.giveBack(t)
	release(t.asides)
	s.disk -= t.written
	delete(s.txs, t.xid)
	if t.file == nil {
		return nil
	}
	name := t.file.Name()
	return errors.Join(t.file.Close(), os.Remove(name))
}

// clear forgets everything: after a reconnect the server streams it all again.
func (s *spill) clear() (err error) {
	for _, t := range s.txs {
		err = errors.Join(err, s.drop(t))
	}
	return err
}

// busyEvery is how many messages are read between two calls of busy.
const busyEvery = 64

// each gives the messages of t that were not rolled back, in order, to f. What a
// relation looks like is given even from a part that was rolled back: the server
// says it once per transaction. busy is called now and then, whatever comes.
func (t *spilled) each(busy func() error, f func(place lsn, msg []byte) error) error {
	n := 0
	keep := func(xid uint32, place lsn, msg []byte) error {
		if n++; n%busyEvery == 0 {
			if err := busy(); err != nil {
				return err
			}
		}
		if t.aborted[xid] && pgoutput.Kind(msg[0]) != pgoutput.Relation {
			return nil
		}
		return f(place, msg)
	}
	if t.file != nil {
		if err := t.eachInFile(keep); err != nil {
			return err
		}
	}
	for _, b := range t.blocks {
		for len(b) > 0 {
			n := spillHeaderBytes + int(be.Uint32(b[4:]))
			if err := keep(be.Uint32(b), lsn(be.Uint64(b[8:])), b[spillHeaderBytes:n]); err != nil {
				return err
			}
			b = b[n:]
		}
	}
	return nil
}

func (t *spilled) eachInFile(f func(xid uint32, place lsn, msg []byte) error) error {
	if _, err := t.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read a spilled transaction: %w", err)
	}
	r := bufio.NewReaderSize(cipher.StreamReader{S: t.stream(), R: t.file}, spillBlockBytes)
	var head [spillHeaderBytes]byte
	var msg []byte
	for {
		if _, err := io.ReadFull(r, head[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read a spilled transaction: %w", err)
		}
		n := int(be.Uint32(head[4:]))
		if cap(msg) < n {
			msg = make([]byte, n)
		}
		if _, err := io.ReadFull(r, msg[:n]); err != nil {
			return fmt.Errorf("read a spilled transaction: %w", err)
		}
		if err := f(be.Uint32(head[:]), lsn(be.Uint64(head[8:])), msg[:n]); err != nil {
			return err
		}
	}
}
