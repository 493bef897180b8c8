package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/pgsql"
)

// A promoted standby begins a new timeline, at a place that its history names:
//
//	timeline 1 ────────────┬──────► the old primary may have written on here
//	timeline 2             └──────► the new primary
//	                    switch
//
// A position before the switch is one of both. What was read behind it exists on
// the old primary alone (P38).

// A forking is where a timeline ended and the next began.
type forking struct {
	timeline int
	at       lsn
}

// historyOf reads the forkings that lie before a server's timeline.
func historyOf(ctx context.Context, conn *pgconn.PgConn, timeline int) ([]forking, error) {
	if timeline == 1 {
		return nil, nil // which has no history
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	rs, err := pgsql.SimpleQuery(ctx, conn, fmt.Sprintf("TIMELINE_HISTORY %d", timeline))
	if err != nil {
		return nil, fmt.Errorf("read the history of timeline %d: %w", timeline, err)
	}
	return parseHistory(rs.Text(0, 1)), nil
}

// parseHistory reads a history file: timeline, place, reason, divided by white
// space; # begins a comment.
func parseHistory(text string) (out []forking) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || strings.HasPrefix(words[0], "#") {
			continue
		}
		timeline, err := strconv.Atoi(words[0])
		at, err2 := parseLSN(words[1])
		if err == nil && err2 == nil {
			out = append(out, forking{timeline, at})
		}
	}
	return out
}

// left gives where a server's history left a timeline; ok is false if it was never
// on it.
func (s *system) left(timeline int) (at lsn, ok bool) {
	for _, f := range s.history {
		if f.timeline == timeline {
			return f.at, true
		}
	}
	return 0, false
}

// follows reports whether a position of an earlier timeline is one of this server
// as well. at is empty if there is none yet.
func (s *system) follows(timeline int, at string, c *Config) error {
	fork, ok := s.left(timeline)
	place, err := parseLSN(at)
	switch {
	case !ok || err != nil:
		return c.otherServer(s, fmt.Sprintf("timeline %d and the server is on timeline %d, which does not come from it: it was restored", timeline, s.timeline))
	case place > fork:
		return &pipeline.Refusal{
			Code: CodeAhead, Where: s.database,
			What: fmt.Sprintf("the server was promoted at %s, and what was captured reaches to %s: the changes between them were lost with the old primary, and are in the topics", fork, place),
			Mend: c.ResetCommand,
		}
	}
	return nil
}

// reaches reports whether the log of a server reaches a position of its own timeline. One
// that was put back to an older state would count on from there, and what it commits below
// the position would be taken for what was read (O16). at is empty if there is none yet.
func (s *system) reaches(at string, c *Config) error {
	place, err := parseLSN(at)
	if err != nil || s.standby || place <= s.end {
		return nil
	}
	return &pipeline.Refusal{
		Code: CodeAhead, Where: s.database,
		What: fmt.Sprintf("the server's log ends at %s, and what was captured reaches to %s: it was restored from an older backup, or lost the end of its log; what was captured since then is in the topics", s.end, place),
		Mend: c.ResetCommand,
	}
}
