//go:build unix

package harness

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// A Record is one line of `evert tail -o json`.
type Record struct {
	Topic     string                     `json:"topic"`
	Partition int32                      `json:"partition"`
	Offset    int64                      `json:"offset"`
	Key       map[string]json.RawMessage `json:"key"`
	Op        *string                    `json:"op"` // nil for a tombstone
	Before    map[string]json.RawMessage `json:"before"`
	After     map[string]json.RawMessage `json:"after"`
	Position  *Position                  `json:"position"`
	TS        string                     `json:"ts"`
	Gap       struct{ Code string }      `json:"gap"` // zero where the record tells of none
}

// A Position is a record's place.
type Position struct {
	Incarnation string `json:"incarnation"`
	Seq         uint64 `json:"seq"`
	Row         uint64 `json:"row"`
	Native      string `json:"native"`
}

// Tail calls fn for each record of a topic up to its end.
func (w *World) Tail(topic string, fn func(Record) error) error {
	cmd := exec.Command(w.Evert(w, w.Options.Tags...), "tail", "-c", w.Write(), topic, "--until-end", "-o", "json")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = eachLine(out, fn)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fmt.Errorf("tail %s: %w", topic, err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("evert tail %s: %w\n%s", topic, err, errs.String())
	}
	return nil
}

// Left counts the records that a topic still holds of each key, which is one column:
// what is missing, a cleaner took.
func (w *World) Left(topic, key string) (byKey map[string]int, err error) {
	byKey = map[string]int{}
	err = w.Tail(topic, func(r Record) error {
		byKey[string(r.Key[key])]++
		return nil
	})
	return byKey, err
}

func eachLine(out io.Reader, fn func(Record) error) error {
	r := bufio.NewReaderSize(out, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 0 {
			var rec Record
			if err := json.Unmarshal(line, &rec); err != nil {
				return fmt.Errorf("not a record: %w: %.300s", err, line)
			}
			if err := fn(rec); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
