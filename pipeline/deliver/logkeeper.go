package deliver

import (
	"context"
	"fmt"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// Topic names the topic of a sink: by it the sink is owned, and in it its place
// is kept where its system has no room for that.
func Topic(deployment, sink string) string { return "__evert." + deployment + ".sink." + sink }

// Group names the group by which a sink is owned.
func Group(deployment, sink string) string { return "evert." + deployment + ".sink." + sink }

// A logKeeper keeps a place in a compacted topic, under one key.
type logKeeper struct{ store log.Store }

// NewKeeper makes the Keeper of a sink over the log. Opening it fences every older
// one, here and in other processes.
func NewKeeper(l log.Log, deployment, sink string) Keeper {
	return &logKeeper{log.Store{Log: l, Topic: Topic(deployment, sink)}}
}

// placeKey is the key of the record that is the place.
const placeKey = "place"

// Open implements Keeper.
func (k *logKeeper) Open(ctx context.Context) (at pipeline.Resume, err error) {
	if err := k.store.Take(ctx); err != nil {
		return at, err
	}
	_, _, err = k.store.Read(ctx, "", func(key, value []byte) (err error) {
		if string(key) != placeKey {
			return nil
		}
		at = pipeline.Resume{}
		if value != nil {
			at, err = parseResume(value)
		}
		return err
	})
	return at, err
}

// Keep implements Keeper.
func (k *logKeeper) Keep(ctx context.Context, at pipeline.Resume) error {
	var value []byte
	if !at.IsZero() {
		value = appendResume(nil, at)
	}
	_, err := k.store.Append(ctx, struct{ Key, Value []byte }{[]byte(placeKey), value})
	return err
}

// Close implements Keeper.
func (k *logKeeper) Close() error { return k.store.Close() }

// The code of a Resume: version:byte(1) seq native rows state, integers uvarint,
// strings and bytes with their length before them.
func appendResume(dst []byte, r pipeline.Resume) []byte {
	dst = appendUint(append(dst, 1), r.At.Seq)
	dst = appendBytes(dst, []byte(r.At.Native))
	dst = appendUint(dst, r.Rows)
	return appendBytes(dst, r.State)
}

func parseResume(b []byte) (r pipeline.Resume, err error) {
	d := decoder{b: b}
	version := d.byte()
	r.At = pipeline.Position{Seq: d.uint(), Native: string(d.bytes())}
	r.Rows = d.uint()
	r.State = append([]byte(nil), d.bytes()...)
	if d.failed || version != 1 || len(d.b) != 0 {
		return pipeline.Resume{}, fmt.Errorf("read back the place: %w", errStanding)
	}
	return r, nil
}
