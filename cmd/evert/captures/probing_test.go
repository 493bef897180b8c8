package captures

import (
	"errors"
	"testing"
	"time"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// TestProbeSpares counts how often a server is asked that refuses us: refused
// logins may lock an account. Other errors change nothing.
func TestProbeSpares(t *testing.T) {
	t.Run("P36 refused logins grow rare", func(t *testing.T) {
		wait, tries := probeEvery, 0
		for spent := time.Duration(0); spent < time.Hour; spent += wait {
			wait = pauseAfter(&pipeline.Refusal{Code: preflight.CodeAuth}, wait)
			tries++
		}
		if tries > 64 {
			t.Errorf("%d refused logins in an hour", tries)
		}
		if wait = pauseAfter(errors.New("a connection was reset"), wait); wait != probeEvery {
			t.Errorf("waits %s after another error", wait)
		}
	})
}
