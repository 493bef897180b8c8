package capture

import "github.com/evertdb/evert/pipeline"

// The refusals that more than one file of this package speaks of.
const (
	codeTooLarge pipeline.Code = "RECORD_TOO_LARGE"
	codeStopped  pipeline.Code = "TABLE_STOPPED"
	codeUnknown  pipeline.Code = "UNKNOWN_VALUE"

	codeTruncated pipeline.Code = "TABLE_TRUNCATED"

	codeReset        pipeline.Code = "SOURCE_RESET" // of a gap alone
	codeIncompatible pipeline.Code = "SCHEMA_INCOMPATIBLE"
	codeKeyChanged   pipeline.Code = "KEY_CHANGED"
)

// CodePaused is the reason of a table that stopped because somebody commanded it.
const CodePaused pipeline.Code = "TABLE_PAUSED"
