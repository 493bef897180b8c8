package deliver

import (
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

// NewPlace is the place of a target that has reached a cut.
func NewPlace(definition string, cut log.Frontier) pipeline.Resume {
	s := standing{definition: definition, cut: cut, whole: true, topics: []*reading{newReading("")}}
	return s.resume(0)
}
