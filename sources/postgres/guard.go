package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// guard acts when the slot holds back more log than it may: the disk of the primary is
// worth more than what is derived from it. Called by the poller.
func (s *Source) guard(retained int64) error {
	most := s.config.MaxRetainedWAL
	over := most > 0 && retained > most
	switch {
	case !over:
		s.warnedOfMost = false
		return nil
	case s.config.ReleaseSlot:
		return s.release(retained)
	case !s.warnedOfMost:
		s.warnedOfMost = true
		s.config.Log.Warn("the slot holds back more log than max_retained_wal", "slot", s.config.Slot, "code", string(preflight.CodeRetention), "retained_bytes", retained, "most_bytes", most)
	}
	return nil
}

// release ends the source and drops its slot.
func (s *Source) release(retained int64) error {
	why := &pipeline.Refusal{
		Code: CodeSlotReleased, Where: "slot " + s.config.Slot,
		What: fmt.Sprintf("it held back %d MiB of log, more than the %d MiB of max_retained_wal, and was dropped as on_max_retained_wal says", retained>>20, s.config.MaxRetainedWAL>>20),
		Mend: s.config.ResetCommand,
	}
	s.life.End(why) // the stream lets go of the slot
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	drop := "SELECT pg_drop_replication_slot(" + pgsql.QuoteLiteral(s.config.Slot) + ")"
	for {
		_, err := s.side.query(ctx, drop)
		switch {
		case err == nil || pgsql.State(err) == "42704": // gone
			return why
		case pgsql.State(err) != "55006" || ctx.Err() != nil: // not only in use
			s.config.Log.Error("the slot cannot be dropped", "slot", s.config.Slot, "error", err, "mend", drop+";")
			return why
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}
