package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"time"

	"github.com/evertdb/evert/pipeline"
)

const (
	manifestName = "manifest.json"
	lockName     = "lock"
	openSuffix   = ".open"
)

// A manifest says what of the folder is committed. It is replaced as a whole.
type manifest struct {
	Version  int      `json:"version"`
	Owner    string   `json:"owner"`            // the sink
	Seen     string   `json:"seen"`             // the series for readers; empty before the first is whole
	Filling  string   `json:"filling"`          // the series that is filled beside; empty: none
	Files    uint64   `json:"files"`            // numbers given to files of the series that is written
	Open     *file    `json:"open"`             // the file that is written; nil: none
	Topics   []string `json:"topics,omitempty"` // where several are delivered: their names, by number
	Beside   []*file  `json:"beside,omitempty"` // the files that are written of those behind the first
	Finished []file   `json:"finished"`
	Resume   resume   `json:"resume"`
}

// A file of the series that is written, by its name without .open.
type file struct {
	Name  string    `json:"name"`
	Bytes int64     `json:"bytes"` // committed
	Shape string    `json:"shape"` // what its rows are
	Since time.Time `json:"since"`
}

// resume is a pipeline.Resume, kept bytes for bytes.
type resume struct {
	Seq    uint64 `json:"seq"`
	Native string `json:"native"`
	Rows   uint64 `json:"rows"`
	State  []byte `json:"state"`
}

func resumeOf(r pipeline.Resume) resume { return resume{r.At.Seq, r.At.Native, r.Rows, r.State} }

func (r resume) resume() pipeline.Resume {
	return pipeline.Resume{At: pipeline.Position{Seq: r.Seq, Native: r.Native}, Rows: r.Rows, State: r.State}
}

// writing is the series that changes go into.
func (m *manifest) writing() string {
	if m.Filling != "" {
		return m.Filling
	}
	return m.Seen
}

var (
	seriesName  = regexp.MustCompile(`^[0-9]{8}$`)
	fileName    = regexp.MustCompile(`^[0-9]{10,20}(-t[0-9]{1,4})?-p[0-9]{1,10}-o[0-9]{1,20}\.(jsonl|avro)$`)
	errManifest = errors.New("it names what no sink has written")
)

// valid reports whether every name is one that we give (X10).
func (m *manifest) valid() bool {
	ok := m.Version == 1 && m.writing() != ""
	for _, series := range []string{m.Seen, m.Filling} {
		ok = ok && (series == "" || seriesName.MatchString(series))
	}
	for _, f := range m.Finished {
		ok = ok && f.valid()
	}
	for i := range 1 + len(m.Beside) {
		f := m.open(i)
		ok = ok && (f == nil || f.valid())
	}
	return ok
}

// open is the file of a topic that is written; nil if there is none.
func (m *manifest) open(topic int) *file {
	switch {
	case topic == 0:
		return m.Open
	case topic <= len(m.Beside):
		return m.Beside[topic-1]
	}
	return nil
}

// hold takes the files that go on behind a commit.
func (m *manifest) hold(lanes []*lane) {
	m.Open, m.Beside, m.Topics = lanes[0].open(), nil, nil
	if len(lanes) == 1 {
		return
	}
	for i, l := range lanes {
		m.Topics = append(m.Topics, l.config.Origins[i].Topic)
		if i > 0 {
			m.Beside = append(m.Beside, l.open())
		}
	}
}

func (f *file) valid() bool { return fileName.MatchString(f.Name) && f.Bytes >= 0 }

// readManifest gives nil if there is none.
func readManifest(root *os.Root) (*manifest, error) {
	b, err := root.ReadFile(manifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := &manifest{}
	if err := json.Unmarshal(b, m); err != nil || !m.valid() {
		return nil, &pipeline.Refusal{Code: CodeManifest, Where: "file " + root.Name() + "/" + manifestName, What: "it is damaged", Err: errManifest,
			Mend: "move the folder away; the sink fills a new one"}
	}
	return m, nil
}

// write replaces the manifest, durably.
func (m *manifest) write(root *os.Root) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	const beside = manifestName + ".tmp"
	f, err := root.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := root.Rename(beside, manifestName); err != nil {
		return err
	}
	return syncDir(root, ".")
}

// name gives the name of the next file, where so many topics are delivered.
func (m *manifest) name(c *pipeline.Change, topics int, f Format) string {
	m.Files++
	if topics > 1 {
		return fmt.Sprintf("%010d-t%d-p%d-o%d.%s", m.Files, c.Topic, c.Partition, c.Offset, f)
	}
	return fmt.Sprintf("%010d-p%d-o%d.%s", m.Files, c.Partition, c.Offset, f)
}
