package datadir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/evertdb/evert/pipeline"
)

// The codes of refusals about the folder.
const (
	CodeTaken  pipeline.Code = "DATA_DIR_TAKEN"
	CodeAccess pipeline.Code = "DATA_DIR_ACCESS"
)

// A Dir is a folder that this process owns, until Close.
type Dir struct {
	Path string
	lock *os.File
}

// A Holder is who owns a folder.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Verb    string    `json:"verb"`
	Started time.Time `json:"started"`
}

// String names the holder to a person.
func (h Holder) String() string {
	if h.PID == 0 {
		return "another process"
	}
	return fmt.Sprintf("`evert %s`, process %d on %s, started %s", h.Verb, h.PID, h.Host, h.Started.Local().Format("2006-01-02 15:04:05"))
}

// errTaken says that another process holds the lock.
var errTaken = errors.New("locked")

// Take makes the folder if need be and locks it. A lock that is held, perhaps by
// a predecessor that is still ending, is waited for until patience is over.
func Take(ctx context.Context, path, verb string, patience time.Duration) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, access(path, err)
	}
	f, err := os.OpenFile(lockPath(path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, access(path, err)
	}
	if err := lockWithin(ctx, f, patience); err != nil {
		defer f.Close()
		if errors.Is(err, errTaken) {
			return nil, taken(path)
		}
		return nil, access(path, err)
	}
	d := &Dir{Path: path, lock: f}
	return d, d.sign(verb)
}

func lockWithin(ctx context.Context, f *os.File, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := tryLock(f)
		if !errors.Is(err, errTaken) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// sign writes who holds the lock.
func (d *Dir) sign(verb string) error {
	host, _ := os.Hostname()
	b, err := json.Marshal(Holder{PID: os.Getpid(), Host: host, Verb: verb, Started: time.Now()})
	if err != nil {
		return err
	}
	if err := d.lock.Truncate(0); err != nil {
		return access(d.Path, err)
	}
	if _, err := d.lock.WriteAt(append(b, '\n'), 0); err != nil {
		return access(d.Path, err)
	}
	return nil
}

// Close frees the folder. It may be called again.
func (d *Dir) Close() error {
	if d.lock == nil {
		return nil
	}
	f := d.lock
	d.lock = nil
	return f.Close()
}

// HolderOf reads who last took the folder; the zero Holder if nobody did.
func HolderOf(path string) Holder {
	var h Holder
	if b, err := os.ReadFile(lockPath(path)); err == nil {
		_ = json.Unmarshal(b, &h)
	}
	return h
}

// Exists reports whether a deployment ever lived in the folder.
func Exists(path string) bool {
	_, err := os.Stat(lockPath(path))
	return err == nil
}

// SocketPath is where the daemon that owns the folder listens.
func SocketPath(path string) string { return filepath.Join(path, "evert.sock") }

// LogPath is where the embedded log lies.
func LogPath(path string) string { return filepath.Join(path, "log") }

// SpillPath is where one source's large transactions go.
func SpillPath(path, source string) string { return filepath.Join(path, "spill", source) }

// FillPath is where the index of keys lies when the log has none.
func FillPath(path string) string { return filepath.Join(path, "fill") }

func lockPath(path string) string { return filepath.Join(path, "evert.lock") }

func taken(path string) error {
	return &pipeline.Refusal{Code: CodeTaken, Where: "data directory " + path,
		What: "it is in use by " + HolderOf(path).String(),
		Mend: "stop that process, or give this deployment a data_dir of its own"}
}

func access(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return &pipeline.Refusal{Code: CodeAccess, Where: "data directory " + path,
		What: "it cannot be made or written", Err: err,
		Mend: "give this user the right to write there, or name another data_dir"}
}
