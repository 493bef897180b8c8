package log

import (
	"context"
	"errors"
	"fmt"
)

// ErrLost says that the partitions went to another member; whoever held them
// stops at once, and may ask for them again.
var ErrLost = errors.New("ownership went to another process")

// Own waits until this process owns partition 0 of topic within group, runs fn
// for as long as it does, and gives up the ownership when fn returns. Others
// that call it stand by meanwhile; standby, if not nil, is called when this one
// has to. fn's context ends with ErrLost when the ownership is taken away: it
// is released only after fn has returned (O04).
func Own(ctx context.Context, l Log, group, topic string, standby func(), fn func(context.Context) error) error {
	return OwnFenced(ctx, l, group, topic, standby, func(ctx context.Context, _ func() Generation) error { return fn(ctx) })
}

// OwnFenced is Own for one whose commits are fenced by the ownership: generation
// gives what Inputs want.
func OwnFenced(ctx context.Context, l Log, group, topic string, standby func(), fn func(ctx context.Context, generation func() Generation) error) error {
	if _, err := l.Admin().Ensure(ctx, TopicSpec{Name: topic, Partitions: 1, Compact: true}); err != nil {
		return err
	}
	m, err := l.Join(ctx, group, []string{topic})
	if err != nil {
		return fmt.Errorf("join group %s: %w", group, err)
	}
	defer m.Close()
	if standby != nil {
		standby()
	}
	if err := awaitOwnership(ctx, m); err != nil {
		return err
	}
	return whileOwner(ctx, m, func(ctx context.Context) error { return fn(ctx, m.Generation) })
}

// awaitOwnership waits for the assignment; what is revoked before it comes is
// released at once.
func awaitOwnership(ctx context.Context, m Membership) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case e, ok := <-m.Events():
			switch {
			case !ok:
				return ErrLost
			case e.Kind == Assigned && len(e.Partitions) > 0:
				return nil
			case e.Kind == Revoked:
				if err := m.Release(e.Partitions); err != nil {
					return err
				}
			}
		}
	}
}

// whileOwner runs fn until it returns or the ownership ends.
func whileOwner(ctx context.Context, m Membership, fn func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	done := make(chan error, 1)
	go func() { done <- fn(ctx) }()
	for {
		select {
		case err := <-done:
			return err
		case e, ok := <-m.Events():
			if ok && (e.Kind == Assigned || len(e.Partitions) == 0) {
				continue
			}
			stop(ErrLost)
			err := <-done
			if ok && e.Kind == Revoked {
				err = errors.Join(err, m.Release(e.Partitions))
			}
			return errors.Join(ErrLost, err)
		}
	}
}
