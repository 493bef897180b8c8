package log

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Scan calls fn for each committed record between the bounds, in order. The
// record is valid during the call.
func Scan(ctx context.Context, l Log, tp TopicPartition, bounds Ends, fn func(*Record) error) error {
	if bounds.Start >= bounds.Stable {
		return nil
	}
	r, err := l.Reader(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Assign(Offsets{tp: bounds.Start}); err != nil {
		return err
	}
	r.Limit(Offsets{tp: bounds.Stable})
	for {
		f, err := r.Next(ctx, 1000)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range f.Records {
			if err := fn(&f.Records[i]); err != nil {
				return err
			}
		}
	}
}

// ReadFrontier folds a frontier topic from its start to its stable end. A topic
// that does not exist gives the zero Fold.
func ReadFrontier(ctx context.Context, l Log, topic string) (*Fold, error) {
	fold := &Fold{}
	infos, err := l.Admin().Topics(ctx, topic)
	if err != nil || len(infos) == 0 {
		return fold, err
	}
	if err := Scan(ctx, l, TopicPartition{Topic: topic}, infos[0].Ends[0], fold.Apply); err != nil {
		return nil, fmt.Errorf("read %s: %w", topic, err)
	}
	return fold, nil
}
