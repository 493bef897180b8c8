package codes

import (
	"errors"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// NeedsPerson reports whether trying again at once is of no use.
func NeedsPerson(err error) bool {
	if errors.Is(err, log.ErrFenced) && !errors.Is(err, log.ErrLost) {
		return true // the newer owner keeps it; we stand by
	}
	code := pipeline.CodeOf(err)
	return code != "" && !Passing(code)
}
