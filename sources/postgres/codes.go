package postgres

import (
	"maps"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/sources/postgres/preflight"
)

// The codes of this source's refusals. Those of a server as a whole are in preflight.
const (
	CodeConfig          pipeline.Code = "PG_CONFIG"
	CodePublication     pipeline.Code = "PG_PUBLICATION"
	CodeAllTables       pipeline.Code = "PG_PUBLICATION_ALL_TABLES"
	CodePublicationGone pipeline.Code = "PG_PUBLICATION_GONE"
	CodeUnpublished     pipeline.Code = "PG_TABLE_UNPUBLISHED"
	CodeNoTables        pipeline.Code = "PG_NO_TABLES"
	CodeTableMissing    pipeline.Code = "PG_TABLE_MISSING"
	CodeNoKey           pipeline.Code = "PG_NO_KEY"
	CodeBadKey          pipeline.Code = "PG_BAD_KEY"
	CodeIdentity        pipeline.Code = "PG_REPLICA_IDENTITY"
	CodeWhere           pipeline.Code = "PG_WHERE"
	CodeSnapshotStandby pipeline.Code = "PG_SNAPSHOT_STANDBY"
	CodeUnlogged        pipeline.Code = "PG_UNLOGGED"
	CodeSlotExists      pipeline.Code = "PG_SLOT_EXISTS"
	CodeSlotMissing     pipeline.Code = "PG_SLOT_MISSING"
	CodeSlotLost        pipeline.Code = "PG_SLOT_LOST"
	CodeSlotForeign     pipeline.Code = "PG_SLOT_FOREIGN"
	CodeSlotActive      pipeline.Code = "PG_SLOT_ACTIVE"
	CodeGap             pipeline.Code = "PG_GAP"
	CodeOtherServer     pipeline.Code = "PG_OTHER_SERVER"
	CodeState           pipeline.Code = "PG_STATE"
	CodeTableAdded      pipeline.Code = "PG_TABLE_ADDED"
	CodeTableChanged    pipeline.Code = "PG_TABLE_CHANGED"
	CodeTableRenamed    pipeline.Code = "PG_TABLE_RENAMED"
	CodeTableDropped    pipeline.Code = "PG_TABLE_DROPPED"
	CodeValue           pipeline.Code = "PG_VALUE"
	CodeArrayShape      pipeline.Code = "PG_ARRAY_SHAPE"
	CodeDecoding        pipeline.Code = "PG_DECODING"
	CodeAhead           pipeline.Code = "PG_AHEAD"
	CodeTooLarge        pipeline.Code = "PG_TOO_LARGE"
	CodeSpillFull       pipeline.Code = "PG_SPILL_FULL"
	CodeSlotReleased    pipeline.Code = "PG_SLOT_RELEASED"
	CodePartition       pipeline.Code = "PG_PARTITION"
	CodeDrained         pipeline.Code = "PG_DRAINED"
	CodeNotDrained      pipeline.Code = "PG_NOT_DRAINED"
	CodeReopened        pipeline.Code = "PG_REOPENED"

	// Warnings of Check.
	CodeBaseBackup    pipeline.Code = "PG_BASE_BACKUP"
	CodeGenerated     pipeline.Code = "PG_GENERATED_COLUMN"
	CodePublishedPart pipeline.Code = "PG_PUBLISHED_IN_PART"
	CodeNotInLog      pipeline.Code = "PG_NOT_IN_LOG"
	CodePooler        pipeline.Code = "PG_POOLER"
)

// Codes explains each code in a sentence, for `evert help`.
func Codes() map[pipeline.Code]string {
	all := preflight.Codes()
	maps.Copy(all, map[pipeline.Code]string{
		CodeConfig:          "A field of the source's configuration cannot be used as it stands.",
		CodePublication:     "The publication is missing, or leaves out some kind of change.",
		CodeAllTables:       "The publication is FOR ALL TABLES, which makes UPDATE and DELETE fail on tables without a replica identity.",
		CodePublicationGone: "The publication was dropped after the slot was made. Making it again does not help: the log is read with the catalog of its own time.",
		CodeUnpublished:     "A captured table is not in the publication, so that its changes do not arrive.",
		CodeNoTables:        "No table matches, or none of those that match can be captured.",
		CodeTableMissing:    "A table that is named in the configuration does not exist.",
		CodeNoKey:           "A table has no primary key and nothing else says which row a change is of.",
		CodeBadKey:          "The key columns that the configuration names are not unique and not null.",
		CodeIdentity:        "Updates and deletes of a table do not carry its key (REPLICA IDENTITY).",
		CodeWhere:           "The condition that chooses the rows of a table to be copied is none that the server takes or can evaluate for every row, or may choose others the next time.",
		CodeSnapshotStandby: "Tables cannot be copied from the server of snapshot.url: it is no standby of the source's server, does not follow it, or is far behind.",
		CodeUnlogged:        "A table is unlogged or temporary; its changes are never in the log.",
		CodeSlotExists:      "A slot of this name exists and no position is stored for it; it may belong to somebody else.",
		CodeSlotMissing:     "The slot that the stored position belongs to is gone, and with it the changes since.",
		CodeSlotLost:        "The server gave up the slot, because it would have kept more log than allowed.",
		CodeSlotForeign:     "The slot of this name is of another database or plugin.",
		CodeSlotActive:      "Another process reads from the slot.",
		CodeGap:             "The slot was moved past the stored position, or does not send the rest of the transaction that was committed in part; what lies between cannot be read any more.",
		CodeOtherServer:     "The stored position is of another server, timeline or database.",
		CodeState:           "The stored state of the source cannot be read.",
		CodeTableAdded:      "A table came after the snapshot, and the user may not add it to the publication. Once it is there, it is copied while the others go on.",
		CodeTableChanged:    "A table was changed in a way that its earlier rows do not follow.",
		CodeTableRenamed:    "A captured table was renamed or moved to another schema, so that its rows would go on in another topic without the earlier ones.",
		CodeTableDropped:    "A captured table was dropped; its topic stays as it was. One made under its name is another table, whose rows are copied into the topic when that is asked for.",
		CodeValue:           "A value is not what its type prints.",
		CodeSpillFull:       "Transactions that the server sends before their commit need more disk than limits.spill_bytes allows.",
		CodeArrayShape:      "An array has several dimensions or a lower bound other than 1.",
		CodeAhead:           "The server lacks changes that were captured: a standby was promoted that did not have them, or the server was restored from an older backup.",
		CodeDecoding:        "The server fails again and again to decode its log at one place.",
		CodeTooLarge:        "A row is so large that the server can send it in no form.",
		CodePartition:       "A table is named whose changes arrive under another name: that of the root of its partitions, or those of its partitions.",
		CodeDrained:         "The source was drained for a major upgrade of its server: everything was read, and its place is kept. It goes on by itself on the new server.",
		CodeNotDrained:      "The source cannot be drained now, because rows may still come; it goes on.",
		CodeReopened:        "The database was read-only when its source was drained, and is not on the new server, where the source has no slot yet: rows may have been written that it will not read.",
		CodeBaseBackup:      "The user may copy the whole cluster by physical replication, because of a line of pg_hba.conf with the keyword replication.",
		CodePinWaits:        "A comparison needs a snapshot of the database at a known place, and transactions that write did not end in time.",
		CodeGenerated:       "Generated columns are not in the log, so they are left out of the topic, in copy and stream alike. From version 18 on a publication may send those that are stored; then they come along.",
		CodePublishedPart:   "The publication sends some rows or columns of a table only.",
		CodeNotInLog:        "Something that matches is never decoded: materialized views, foreign tables, contents of large objects.",
		CodePooler:          "A connection pooler lies between, so that the session may change under what relies on it.",
		CodeSlotReleased:    "The slot held back more log than max_retained_wal, and was dropped so that the server's disk does not run full.",
	})
	return all
}
