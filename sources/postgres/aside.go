package postgres

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/evertdb/evert/pipeline"
)

// asides keeps the values that are too large for memory, each in a file, from when a
// shortener reads them off a connection until the batch with their row is taken back.
// In between a stand-in goes their way (shorten.go):
//
//	token 32 hex digits · number 16 hex digits
//
// The token is random and leaves the process nowhere, so that no value of a row is
// taken for a stand-in. Files are written under keys that only this process has, as
// those of a spill are (X12). Safe for concurrent use.
type asides struct {
	dir   string // empty: nothing is set aside
	above int    // values of more bytes than this, as they are sent, are set aside
	head  int    // bytes of a value that its row has
	most  int64  // that the files together may hold (I9)
	token string

	waiting atomic.Int64 // values that no batch has taken

	mu   sync.Mutex
	last uint64
	disk int64
	held map[uint64]*aside
}

// An aside is one value as it was sent, in a file.
type aside struct {
	store  *asides
	number uint64
	maker  *shortener
	size   int64
	block  cipher.Block
	taken  bool // a batch has it; guarded by store.mu
}

const standBytes = 32 + 16

// leastAside is the least size at which a value is worth a file, in bytes.
const leastAside = 4 << 20

func newAsides(c *Config) *asides {
	var token [16]byte
	_, _ = rand.Read(token[:]) // never fails
	a := &asides{dir: c.SpillDir, above: max(c.ValueBytes, leastAside), head: c.ValueBytes + 1, most: c.SpillMost, token: hex.EncodeToString(token[:]), held: map[uint64]*aside{}}
	if c.asideAbove > 0 {
		a.above = c.asideAbove
	}
	return a
}

// begin makes the file of a value that maker reads.
func (a *asides) begin(maker *shortener) (*asideWriter, error) {
	var key [16]byte
	_, _ = rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.last++
	v := &aside{store: a, number: a.last, maker: maker, block: block}
	a.held[v.number] = v
	a.mu.Unlock()
	a.waiting.Add(1)
	f, err := os.OpenFile(v.path(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		v.drop()
		return nil, fmt.Errorf("set a large value aside: %w", err)
	}
	return &asideWriter{aside: v, file: f, seal: v.stream()}, nil
}

// is gives the value that a field stands for; nil if it is none of ours.
func (a *asides) is(field []byte) *aside {
	if a == nil || len(field) != standBytes || a.waiting.Load() == 0 || string(field[:len(a.token)]) != a.token {
		return nil
	}
	var number [8]byte
	if _, err := hex.Decode(number[:], field[len(a.token):]); err != nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.held[be.Uint64(number[:])]
}

// in gives the values that stand in a message.
func (a *asides) in(msg []byte) (all []*aside) {
	if a == nil || a.waiting.Load() == 0 {
		return nil
	}
	for {
		i := bytes.Index(msg, []byte(a.token))
		if i < 0 || i+standBytes > len(msg) {
			return all
		}
		if v := a.is(msg[i : i+standBytes]); v != nil {
			all = append(all, v)
		}
		msg = msg[i+standBytes:]
	}
}

// beyond is how many bytes more than these fields the server sent for them.
func (a *asides) beyond(fields [][]byte) (n int64) {
	if a == nil || a.waiting.Load() == 0 {
		return 0
	}
	for _, f := range fields {
		if v := a.is(f); v != nil {
			n += v.size - standBytes
		}
	}
	return n
}

// release drops those of some values that no batch has taken.
func release(list []*aside) {
	for _, v := range list {
		if !v.isTaken() {
			v.drop()
		}
	}
}

// forget drops what a shortener has made and no batch has taken: its connection is
// gone, and what it sent comes again.
func (a *asides) forget(maker *shortener) {
	a.mu.Lock()
	var list []*aside
	for _, v := range a.held {
		if v.maker == maker && !v.taken {
			list = append(list, v)
		}
	}
	a.mu.Unlock()
	release(list)
}

// clear drops everything.
func (a *asides) clear() {
	a.mu.Lock()
	var list []*aside
	for _, v := range a.held {
		list = append(list, v)
	}
	a.mu.Unlock()
	for _, v := range list {
		v.drop()
	}
}

// grow counts bytes of files in, or refuses.
func (a *asides) grow(n int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.disk+n > a.most { // I9
		return spillFull("values too large for memory", "they", a.most)
	}
	a.disk += n
	return nil
}

func (v *aside) path() string {
	return filepath.Join(v.store.dir, fmt.Sprintf("%d.value", v.number))
}

func (v *aside) stand() []byte { return fmt.Appendf(nil, "%s%016x", v.store.token, v.number) }

// stream is what the file is written and read with, from its beginning. One key serves
// one file.
func (v *aside) stream() cipher.Stream { return cipher.NewCTR(v.block, make([]byte, aes.BlockSize)) }

func (v *aside) isTaken() bool {
	v.store.mu.Lock()
	defer v.store.mu.Unlock()
	return v.taken
}

// take says that a batch has the value from now on, and closes it.
func (v *aside) take() {
	v.store.mu.Lock()
	defer v.store.mu.Unlock()
	if !v.taken {
		v.taken = true
		v.store.waiting.Add(-1)
	}
}

// Close lets the value go, for a batch that had it.
func (v *aside) Close() error {
	v.drop()
	return nil
}

// drop removes the file. It may be called again.
func (v *aside) drop() {
	s := v.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[v.number] == nil {
		return
	}
	delete(s.held, v.number)
	s.disk -= v.size
	if !v.taken {
		s.waiting.Add(-1)
	}
	_ = os.Remove(v.path()) // one that stays is removed when the folder is opened again
}

// An opened aside is read from its first byte on.
type openAside struct {
	io.Reader
	file *os.File
}

func (o *openAside) Close() error { return o.file.Close() }

// open gives the value as it was sent.
func (v *aside) open() (io.ReadCloser, error) {
	f, err := os.Open(v.path())
	if err != nil {
		return nil, fmt.Errorf("read a large value: %w", err)
	}
	return &openAside{cipher.StreamReader{S: v.stream(), R: f}, f}, nil
}

// load gives the value as it was sent, in memory.
func (v *aside) load() ([]byte, error) {
	r, err := v.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, v.size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("read a large value: %w", err)
	}
	return b, nil
}

// An asideWriter writes a value that is not complete.
type asideWriter struct {
	*aside
	file *os.File
	seal cipher.Stream
	buf  [32 << 10]byte
}

// Write appends to the value.
func (w *asideWriter) Write(p []byte) (int, error) {
	if err := w.store.grow(int64(len(p))); err != nil {
		return 0, err
	}
	w.size += int64(len(p))
	for rest := p; len(rest) > 0; {
		n := min(len(rest), len(w.buf))
		w.seal.XORKeyStream(w.buf[:n], rest[:n])
		if _, err := w.file.Write(w.buf[:n]); err != nil {
			return 0, fmt.Errorf("set a large value aside: %w", err)
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// end completes the value.
func (w *asideWriter) end() error {
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("set a large value aside: %w", err)
	}
	return nil
}

// abandon closes the file of a value whose end does not come.
func (w *asideWriter) abandon() error { return errors.Join(w.file.Close(), w.Close()) }

// spillFull stops the source at what has no room on disk. Nothing of it was handed
// over; with more room it is read again from its beginning.
func spillFull(where, what string, most int64) error {
	return &pipeline.Refusal{
		Code: CodeSpillFull, Where: where,
		What: fmt.Sprintf("%s need more than the %d MiB of disk that limits.spill_bytes gives them", what, most>>20),
		Mend: fmt.Sprintf("limits: {spill_bytes: %dMiB}", max(1, most>>20)*4),
	}
}
