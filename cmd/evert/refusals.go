package main

import "github.com/evertdb/evert/pipeline"

// The codes of refusals that the verbs themselves make.
const (
	codeNothingYet pipeline.Code = "NOTHING_CAPTURED"
	codeOwned      pipeline.Code = "SOURCE_OWNED"
	codeLogFull    pipeline.Code = "LOG_FULL"
	codeFileExists pipeline.Code = "FILE_EXISTS"
	codeNoServer   pipeline.Code = "DEMO_NO_SERVER"
	codeUnanswered pipeline.Code = "SOURCE_UNANSWERED"
	codeNoDaemon   pipeline.Code = "NO_DAEMON"

	codeOtherState pipeline.Code = "DATA_DIR_OTHER"
	codeNotRunning pipeline.Code = "NOT_RUNNING"
)
