package main

import "github.com/evertdb/evert/pipeline"

const (
	codeOwned   pipeline.Code = "SOURCE_OWNED"
	codeLogFull pipeline.Code = "LOG_FULL"
)
