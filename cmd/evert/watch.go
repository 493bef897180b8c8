package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"time"

	"github.com/evertdb/evert/cmd/evert/datadir"
	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/cmd/evert/supervise"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

const (
	diskEvery    = 5 * time.Second  // how often the room on the disk is looked at
	readersEvery = 15 * time.Second // how often the groups are asked how far they are
	stuckEvery   = 5 * time.Second  // how often open transactions of others are looked for
)

// watching looks after what belongs to no source: the disk of data_dir, and who
// reads the topics. One goroutine, run, owns it.
type watching struct {
	daemon  *daemon
	disk    *monitor.Disk
	readers *monitor.Readers // nil if the log has no groups
	stuck   *monitor.Stucks  // transactions that hold a topic's stable end (K09); nil for the embedded log
	trouble string           // what was last told of the groups
	turns   supervise.Beat
}

func (d *daemon) newWatch() *watching {
	w := &watching{daemon: d, disk: &monitor.Disk{}}
	if d.topics.Groups != nil {
		w.readers = &monitor.Readers{}
	}
	if d.topics.Kafka != nil {
		w.stuck = &monitor.Stucks{}
	}
	return w
}

// run looks now and then, until ctx ends.
func (w *watching) run(ctx context.Context) {
	disk, readers, stuck := time.NewTicker(diskEvery), time.NewTicker(readersEvery), time.NewTicker(stuckEvery)
	defer disk.Stop()
	defer readers.Stop()
	defer stuck.Stop()
	defer w.turns.Rests()
	w.sample()
	for {
		w.turns.Turned(time.Now())
		select {
		case <-ctx.Done():
			return
		case <-disk.C:
			w.sample()
		case <-readers.C:
			w.ask(ctx)
		case <-stuck.C:
			w.lookForStuck(ctx)
		}
	}
}

// sample looks at the disk; a system that cannot tell leaves the metrics out.
func (w *watching) sample() {
	if free, size, err := datadir.Disk(w.daemon.config.DataDir); err == nil {
		w.disk.Sampled(time.Now(), free, size)
	}
}

// ask asks how far the groups have read, and tells once what keeps it from that.
func (w *watching) ask(ctx context.Context) {
	if w.readers == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readersEvery)
	defer cancel()
	readings, err := w.readings(ctx)
	if code := pipeline.CodeOf(err); err == nil || code != "" {
		w.readers.Observed(time.Now(), readings)
	}
	switch {
	case err == nil:
		w.trouble = ""
	case ctx.Err() == nil && err.Error() != w.trouble:
		w.trouble = err.Error()
		p := monitor.ProblemOf(err, time.Now())
		w.daemon.log.Warn("it is not known how far the readers of the topics are", "error", p.Text, "code", string(p.Code), "mend", p.Mend)
	}
}

// readings gives how far every group is in every table topic that it reads; with
// a Refusal, those that are not hidden from us.
func (w *watching) readings(ctx context.Context) (all []monitor.Reading, err error) {
	topics := w.topics()
	if len(topics) == 0 {
		return nil, nil
	}
	infos, err := w.daemon.topics.Admin().Topics(ctx, topics...)
	if err != nil {
		return nil, err
	}
	groups, hidden := w.daemon.topics.Groups.Groups(ctx, topics...)
	if hidden != nil && pipeline.CodeOf(hidden) == "" {
		return nil, hidden
	}
	for group, offsets := range groups {
		for _, info := range infos {
			all = append(all, readingsOf(group, offsets, info)...)
		}
	}
	return all, cmp.Or(w.date(ctx, all), hidden)
}

// topics are those of the captured tables: a source names them all when it opens.
func (w *watching) topics() (topics []string) {
	for _, m := range w.daemon.monitors {
		s := m.Status()
		for _, t := range s.Tables {
			topics = append(topics, topicOf(w.daemon.config.Sources[s.Name].TopicPrefix, t.Table))
		}
	}
	return topics
}

func readingsOf(group string, offsets log.Offsets, info log.TopicInfo) (all []monitor.Reading) {
	for p, ends := range info.Ends {
		tp := log.TopicPartition{Topic: info.Name, Partition: int32(p)}
		if at, ok := offsets[tp]; ok {
			all = append(all, monitor.Reading{Group: group, TopicPartition: tp, Offset: at, Stable: ends.Stable,
				Retention: max(0, info.Retention)})
		}
	}
	return all
}

// date finds when the oldest record was written that each group has not read.
func (w *watching) date(ctx context.Context, all []monitor.Reading) error {
	for i := range all {
		r := &all[i]
		if r.Offset >= r.Stable {
			continue
		}
		if at, ok := w.readers.Oldest(r.Group, r.TopicPartition, r.Offset); ok {
			r.Oldest = at
			continue
		}
		var err error
		if r.Oldest, err = firstTime(ctx, w.daemon.topics, r.TopicPartition, log.Ends{Start: r.Offset, Stable: r.Stable}); err != nil {
			return err
		}
	}
	return nil
}

// firstTime gives when the first record between the bounds was written; zero if
// there is none.
func firstTime(ctx context.Context, l log.Log, tp log.TopicPartition, bounds log.Ends) (at time.Time, err error) {
	reader, err := l.Reader(ctx)
	if err != nil {
		return at, err
	}
	defer reader.Close()
	if err := reader.Assign(log.Offsets{tp: bounds.Start}); err != nil {
		return at, err
	}
	reader.Limit(log.Offsets{tp: bounds.Stable})
	for at.IsZero() {
		f, err := reader.Next(ctx, 1)
		switch {
		case errors.Is(err, io.EOF):
			return at, nil
		case err != nil:
			return at, err
		case len(f.Records) > 0:
			at = f.Records[0].Time
		}
	}
	return at, nil
}
