package mysql

import "github.com/evertdb/evert/pipeline"

// The codes of this source's refusals.
const (
	CodeConfig  pipeline.Code = "MY_CONFIG"
	CodeConnect pipeline.Code = "MY_CONNECT"
	CodeAuth    pipeline.Code = "MY_AUTH"
	CodeTLS     pipeline.Code = "MY_TLS"
)
