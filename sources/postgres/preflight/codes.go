package preflight

import "github.com/evertdb/evert/pipeline"

// The codes of what is refused or warned of.
const (
	CodeConnect          pipeline.Code = "PG_CONNECT"
	CodeAuth             pipeline.Code = "PG_AUTH"
	CodeTLS              pipeline.Code = "PG_TLS"
	CodeVersion          pipeline.Code = "PG_VERSION"
	CodeStandby          pipeline.Code = "PG_STANDBY"
	CodeSettings         pipeline.Code = "PG_SETTINGS"
	CodeEncoding         pipeline.Code = "PG_ENCODING"
	CodeWALLevel         pipeline.Code = "PG_WAL_LEVEL"
	CodeNoFreeSlot       pipeline.Code = "PG_NO_FREE_SLOT"
	CodeNoFreeSender     pipeline.Code = "PG_NO_FREE_SENDER"
	CodeRight            pipeline.Code = "PG_RIGHT"
	CodeRetention        pipeline.Code = "PG_RETENTION"
	CodeSuperuser        pipeline.Code = "PG_SUPERUSER"
	CodeNoFreeConnection pipeline.Code = "PG_NO_FREE_CONNECTION"
	CodePrepared         pipeline.Code = "PG_PREPARED_TRANSACTION"
	CodeOldTransaction   pipeline.Code = "PG_OLD_TRANSACTION"
	CodeCatalogAge       pipeline.Code = "PG_CATALOG_AGE"
	CodeOrphanSlot       pipeline.Code = "PG_ORPHAN_SLOT"
	CodePlatform         pipeline.Code = "PG_PLATFORM"
)

// Codes explains each code in a sentence. The map is the caller's.
func Codes() map[pipeline.Code]string {
	return map[pipeline.Code]string{
		CodeConnect:          "The server could not be reached; nothing is lost, the source tries again.",
		CodeAuth:             "The server refused user, password or address; the connection string is read anew at each attempt.",
		CodeTLS:              "The server cannot be trusted: its certificate is not verified, or it speaks no TLS.",
		CodeVersion:          "The server is older than Postgres 12.",
		CodeStandby:          "The server is a standby; its changes are captured from the primary.",
		CodeSettings:         "The session does not have the settings that values are printed with, so that reading them would change them.",
		CodeEncoding:         "The database has no encoding (SQL_ASCII), so that text in it need not be UTF-8.",
		CodeWALLevel:         "The server does not write what logical replication needs (wal_level).",
		CodeNoFreeSlot:       "All replication slots of the server are taken.",
		CodeNoFreeSender:     "All walsenders of the server are taken.",
		CodeRight:            "The user lacks a right; the statement that grants it is printed.",
		CodeSuperuser:        "The user is a superuser, which is more than capturing needs.",
		CodeNoFreeConnection: "The server has fewer free connections than a start may take.",
		CodePrepared:         "A prepared transaction was neither committed nor rolled back for long. It holds back the log and the vacuum of the whole server.",
		CodeOldTransaction:   "A transaction that writes is open for long. A new slot waits for it, and the log since its begin is kept.",
		CodeCatalogAge:       "The slot was not read for so long that the system catalogs cannot be vacuumed.",
		CodeOrphanSlot:       "Nobody reads from a slot of this database. It holds back the log of the whole server, up to a full disk.",
		CodePlatform:         "Who runs the server does something to slots that their reader should know.",
		CodeRetention:        "Nothing limits the log that the slot may hold back (max_slot_wal_keep_size).",
	}
}
