package cli

import "github.com/evertdb/evert/pipeline"

// The codes of refusals that several verbs make.
const (
	CodeNothingYet pipeline.Code = "NOTHING_CAPTURED"
	CodeFileExists pipeline.Code = "FILE_EXISTS"
	CodeNoDaemon   pipeline.Code = "NO_DAEMON"
	// CodeNotRunning is a reason of a status, and refuses what a resting
	// deployment cannot do.
	CodeNotRunning pipeline.Code = "NOT_RUNNING"
)
