package main

import "github.com/evertdb/evert/pipeline"

// The codes of refusals that the verbs themselves make.
const (
	codeNothingYet pipeline.Code = "NOTHING_CAPTURED"
	codeOwned      pipeline.Code = "SOURCE_OWNED"
	codeLogFull    pipeline.Code = "LOG_FULL"
	codeFileExists pipeline.Code = "FILE_EXISTS"
	codeNoServer   pipeline.Code = "DEMO_NO_SERVER"
	codeNoDaemon   pipeline.Code = "NO_DAEMON"

	codeNotRunning pipeline.Code = "NOT_RUNNING"
)
