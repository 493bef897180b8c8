package codes

// ofPostgres are the codes of the Postgres source, which explains them; the text
// here is added to that.
func ofPostgres() []Entry {
	const again = "Copy the tables again: `evert reset SOURCE --resnapshot --yes`."
	return []Entry{
		{Code: "PG_CONFIG", Mend: "Correct the field that the message names."},
		{Code: "PG_CONNECT", Passing: true, Mend: "See that the server runs and can be reached from here; correct host, port and database of the url."},
		{Code: "PG_AUTH", Mend: "Correct user and password of the url, or the server's pg_hba.conf."},
		{Code: "PG_VERSION", Mend: "Upgrade the server to Postgres 12 or newer."},
		{Code: "PG_STANDBY", Mend: "Write the primary's address into the url."},
		{Code: "PG_SETTINGS", Text: "A pooler between us and the server is the usual cause.", Mend: "Connect to the server itself."},
		{Code: "PG_ENCODING", Mend: "Dump the database and restore it into one with ENCODING 'UTF8'."},
		{Code: "PG_WAL_LEVEL", Mend: "ALTER SYSTEM SET wal_level = 'logical'; then restart the server."},
		{Code: "PG_NO_FREE_SLOT", Text: "A slot that nobody reads holds back the server's log besides.", Mend: "ALTER SYSTEM SET max_replication_slots to more and restart the server, or drop a slot that nobody reads."},
		{Code: "PG_NO_FREE_SENDER", Passing: true, Mend: "ALTER SYSTEM SET max_wal_senders to more and restart the server, or end a client that is not needed."},
		{Code: "PG_RIGHT", Mend: "Run the statement that the message shows, as a superuser or the owner."},
		{Code: "PG_PUBLICATION", Mend: "Run the statement that the message shows, as the owner of the tables."},
		{Code: "PG_PUBLICATION_ALL_TABLES", Mend: "Drop the publication; one for the captured tables alone is made at the next start."},
		{Code: "PG_PUBLICATION_GONE", Mend: again},
		{Code: "PG_TABLE_UNPUBLISHED", Mend: "Run the statement that the message shows; if changes were missed, copy the tables again as it says."},
		{Code: "PG_NO_TABLES", Mend: "Correct the patterns below tables, or create the tables."},
		{Code: "PG_TABLE_MISSING", Mend: "Create the table, or correct its name: schema.table in the catalog's exact case."},
		{Code: "PG_NO_KEY", Text: "A topic is keyed by its table's primary key, and compaction keeps the newest record of each key.", Mend: "Add a primary key; or name unique, not-null columns with overrides: {schema.table: {key: [columns]}}; or leave the table out with exclude_tables."},
		{Code: "PG_BAD_KEY", Mend: "Name columns with a unique constraint that are all NOT NULL."},
		{Code: "PG_REPLICA_IDENTITY", Mend: "Run the ALTER TABLE … REPLICA IDENTITY that the message shows."},
		{Code: "PG_UNLOGGED", Mend: "ALTER TABLE … SET LOGGED, or leave the table out with exclude_tables."},
		{Code: "PG_SLOT_EXISTS", Mend: "If it is a leftover of this deployment, `evert reset SOURCE --yes` drops it; else name another with slot."},
		{Code: "PG_SLOT_MISSING", Mend: again},
		{Code: "PG_SLOT_LOST", Text: "See max_slot_wal_keep_size, and evert_source_limit_seconds, which warns beforehand.", Mend: again},
		{Code: "PG_SLOT_FOREIGN", Mend: "Name another slot below postgres, or drop that one if nobody needs it."},
		{Code: "PG_SLOT_ACTIVE", Passing: true, Text: "One that is ending is waited for, for a minute.", Mend: "Stop the other process; if it is another Evert, give each its own name."},
		{Code: "PG_GAP", Mend: again},
		{Code: "PG_OTHER_SERVER", Text: "A restored backup and a promoted standby are other servers in this sense: their log may have gone another way.", Mend: "Correct the url; or, if the server was replaced for good, copy the tables again: `evert reset SOURCE --resnapshot --yes`."},
		{Code: "PG_STATE", Mend: again},
		{Code: "PG_TABLE_ADDED", Mend: again},
		{Code: "PG_TABLE_CHANGED", Mend: again},
		{Code: "PG_VALUE", Mend: "Report it with the type of the column; until then leave the table out with exclude_tables."},
		{Code: "PG_ARRAY_SHAPE", Text: "Arrays in topics have one dimension, from 1 on.", Mend: "Store the array in one dimension or as jsonb, or leave the table out with exclude_tables."},
		{Code: "PG_RETENTION", Text: "This is a warning: while Evert is down the server keeps its log for it, up to a full disk.", Mend: "ALTER SYSTEM SET max_slot_wal_keep_size = '20GB'; then SELECT pg_reload_conf();"},
	}
}
