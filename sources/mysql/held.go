package mysql

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-mysql-org/go-mysql/replication"
)

// A heldTx is one prepared transaction: its events in memory, or all of them in a file
// once they need more than they may.
//
//	record = type u8 · place u64 · length u32 · body
//
// A file is written under a key that only this process has, in memory: rows come here
// before anything masks them (X12).
type heldTx struct {
	name   string // as XA statements write it
	before string // the native position before it
	events []heldEvent
	bytes  int64    // of events
	ids    []uint64 // of the tables whose rows are kept

	path  string   // of the file; empty: in memory
	file  *os.File // while it is written: one that waits for its end holds no descriptor
	block cipher.Block
	out   *bufio.Writer // into file
	size  int64         // of the file
}

type heldEvent struct {
	kind  replication.EventType
	body  []byte
	place uint64
}

const heldHeader = 1 + 8 + 4

// add keeps an event.
func (t *heldTx) add(e heldEvent) error {
	if t.path != "" {
		return t.write(e)
	}
	t.events = append(t.events, e)
	t.bytes += int64(len(e.body))
	return nil
}

// spill moves the events into a file in dir.
func (t *heldTx) spill(dir string) (err error) {
	if t.file, err = os.CreateTemp(dir, "*"+heldSuffix); err != nil {
		return fmt.Errorf("spill an XA transaction: %w", err)
	}
	t.path = t.file.Name()
	var key [16]byte
	if _, err = rand.Read(key[:]); err != nil {
		return err
	}
	if t.block, err = aes.NewCipher(key[:]); err != nil {
		return err
	}
	t.out = bufio.NewWriterSize(&cipher.StreamWriter{S: t.stream(), W: t.file}, 64<<10)
	for _, e := range t.events {
		if err := t.write(e); err != nil {
			return err
		}
	}
	t.events, t.bytes = nil, 0
	return nil
}

// stream is what a file is written and read with, from its beginning. One key serves
// one file, so the counter may begin at zero.
func (t *heldTx) stream() cipher.Stream { return cipher.NewCTR(t.block, make([]byte, aes.BlockSize)) }

func (t *heldTx) write(e heldEvent) error {
	head := binary.LittleEndian.AppendUint64([]byte{byte(e.kind)}, e.place)
	head = binary.LittleEndian.AppendUint32(head, uint32(len(e.body)))
	_, err := t.out.Write(head)
	if err == nil {
		_, err = t.out.Write(e.body)
	}
	if err != nil {
		return fmt.Errorf("spill an XA transaction: %w", err)
	}
	t.size += int64(len(head) + len(e.body))
	return nil
}

// rest ends the writing: nothing is added any more.
func (t *heldTx) rest() error {
	if t.file == nil {
		return nil
	}
	err := errors.Join(t.out.Flush(), t.file.Close())
	if t.file, t.out = nil, nil; err != nil {
		return fmt.Errorf("spill an XA transaction: %w", err)
	}
	return nil
}

// each gives the events in order, and ends the writing. What f gets is f's own.
func (t *heldTx) each(f func(heldEvent) error) error {
	for _, e := range t.events {
		if err := f(e); err != nil {
			return err
		}
	}
	if t.path == "" {
		return nil
	}
	if err := t.rest(); err != nil {
		return err
	}
	file, err := os.Open(t.path)
	if err != nil {
		return fmt.Errorf("read a spilled XA transaction: %w", err)
	}
	defer file.Close()
	in := bufio.NewReaderSize(&cipher.StreamReader{S: t.stream(), R: io.LimitReader(file, t.size)}, 64<<10)
	for {
		e, err := readHeld(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a spilled XA transaction: %w", err)
		}
		if err := f(e); err != nil {
			return err
		}
	}
}

// readHeld reads a record; io.EOF is the end between two.
func readHeld(in io.Reader) (heldEvent, error) {
	var head [heldHeader]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return heldEvent{}, err
	}
	body := make([]byte, binary.LittleEndian.Uint32(head[9:]))
	if _, err := io.ReadFull(in, body); err != nil {
		return heldEvent{}, io.ErrUnexpectedEOF
	}
	return heldEvent{replication.EventType(head[0]), body, binary.LittleEndian.Uint64(head[1:])}, nil
}

// drop lets the transaction go, and its file.
func (t *heldTx) drop() {
	if t.file != nil {
		_ = t.file.Close()
	}
	if t.path != "" {
		_ = os.Remove(t.path) // what stays is emptied at the next start
	}
	t.path, t.file, t.out = "", nil, nil
}

const heldSuffix = ".xa"

// emptySpill makes the directory of such files and removes what a crash left there.
func emptySpill(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the spill directory: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"+heldSuffix))
	for _, name := range left {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}
