package machine

import (
	"testing"

	"github.com/evertdb/evert/pipeline"
)

// O09 what the log may hold open leaves the rest of the process enough.
func TestFiles(t *testing.T) {
	for most, want := range map[int]struct {
		code pipeline.Code
		log  int
	}{64: {CodeFiles, 75}, 255: {CodeFiles, 75}, 256: {"", 75}, 1024: {"", 459}, 4096: {"", 500}, 0: {"", 500}} {
		if code := pipeline.CodeOf(enoughFiles(most)); code != want.code || logFiles(most) != want.log {
			t.Errorf("%d files: %q, %d for the log; want %+v", most, code, logFiles(most), want)
		}
	}
}
