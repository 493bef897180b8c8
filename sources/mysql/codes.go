package mysql

import "github.com/evertdb/evert/pipeline"

// The codes of this source's refusals; cmd/evert/codes explains them.
const (
	CodeConfig       pipeline.Code = "MY_CONFIG"
	CodeConnect      pipeline.Code = "MY_CONNECT"
	CodeAuth         pipeline.Code = "MY_AUTH"
	CodeTLS          pipeline.Code = "MY_TLS"
	CodeVersion      pipeline.Code = "MY_VERSION"
	CodeBinlogOff    pipeline.Code = "MY_BINLOG_OFF"
	CodeBinlogFormat pipeline.Code = "MY_BINLOG_FORMAT"
	CodeRowImage     pipeline.Code = "MY_ROW_IMAGE"
	CodeRowMetadata  pipeline.Code = "MY_ROW_METADATA"
	CodePartialJSON  pipeline.Code = "MY_PARTIAL_JSON"
	CodeGTIDOff      pipeline.Code = "MY_GTID_OFF"
	CodeReplica      pipeline.Code = "MY_REPLICA"
	CodeFilter       pipeline.Code = "MY_BINLOG_FILTER"
	CodeRight        pipeline.Code = "MY_RIGHT"
	CodeNoTables     pipeline.Code = "MY_NO_TABLES"
	CodeTableMissing pipeline.Code = "MY_TABLE_MISSING"
	CodeNoKey        pipeline.Code = "MY_NO_KEY"
	CodeBadKey       pipeline.Code = "MY_BAD_KEY"
	CodeType         pipeline.Code = "MY_TYPE"
	CodeCascade      pipeline.Code = "MY_CASCADE"
	CodePurged       pipeline.Code = "MY_PURGED"
	CodeOtherServer  pipeline.Code = "MY_OTHER_SERVER"
	CodeState        pipeline.Code = "MY_STATE"
	CodeGap          pipeline.Code = "MY_GAP"
	CodeServerID     pipeline.Code = "MY_SERVER_ID"
	CodeStatement    pipeline.Code = "MY_STATEMENT"
	CodeTableChanged pipeline.Code = "MY_TABLE_CHANGED"
	CodeTableAdded   pipeline.Code = "MY_TABLE_ADDED"
	CodeValue        pipeline.Code = "MY_VALUE"
	CodeZeroDate     pipeline.Code = "MY_ZERO_DATE"
	CodeEvent        pipeline.Code = "MY_EVENT"
	CodeXALarge      pipeline.Code = "MY_XA_LARGE"

	// Warnings of Check.
	CodeSyncBinlog pipeline.Code = "MY_SYNC_BINLOG"
	CodeRetention  pipeline.Code = "MY_RETENTION"
)
