package postgres

import "github.com/evertdb/evert/pipeline"

// The codes of this sink's refusals. The first ones are also the Postgres
// source's, and mean the same.
const (
	CodeConfig   pipeline.Code = "PG_CONFIG"
	CodeConnect  pipeline.Code = "PG_CONNECT"
	CodeAuth     pipeline.Code = "PG_AUTH"
	CodeTLS      pipeline.Code = "PG_TLS"
	CodeSettings pipeline.Code = "PG_SETTINGS"
	CodeVersion  pipeline.Code = "PG_VERSION"

	CodeStandby pipeline.Code = "PG_SINK_STANDBY"
	CodeRight   pipeline.Code = "PG_SINK_RIGHT"
	CodeRows    pipeline.Code = "PG_SINK_OTHER_ROWS"
	CodeTaken   pipeline.Code = "PG_SINK_TAKEN"
	CodeShape   pipeline.Code = "PG_SINK_SHAPE"
	CodeKey     pipeline.Code = "PG_SINK_KEY"
	CodeLoop    pipeline.Code = "PG_SINK_LOOP"
	CodeRow     pipeline.Code = "PG_SINK_ROW"
	CodeStray   pipeline.Code = "PG_SINK_STRAY"
	CodeFenced  pipeline.Code = "PG_SINK_FENCED"
	CodeBusy    pipeline.Code = "PG_SINK_BUSY"
)
