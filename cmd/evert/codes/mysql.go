package codes

// ofMySQL are the codes of the MySQL and MariaDB source.
func ofMySQL() []Entry {
	const again = "Copy the tables again: `evert reset SOURCE --resnapshot --yes`."
	const table = "Copy the table again: `evert snapshot SOURCE.DATABASE.TABLE`; `on_table_error: resnapshot` does so by itself."
	return []Entry{
		{Code: "MY_CONFIG", Text: "The connection string of a MySQL or MariaDB source cannot be used as it stands.", Mend: "Correct what the message names."},
		{Code: "MY_CONNECT", Passing: true, Text: "The server could not be reached; nothing is lost, the source tries again.", Mend: "See that the server runs and can be reached from here; correct host and port of the url."},
		{Code: "MY_AUTH", Text: "The server refuses user, password or address; the connection string is read anew at each attempt.", Mend: "Correct user and password of the url, or make the user for this address."},
		{Code: "MY_TLS", Passing: true, Text: "Nothing was sent over the connection: the server cannot be trusted, speaks no TLS, or takes no connection without it.", Mend: "Name the server's authority with ca in the url, and the server by a name of its certificate."},
		{Code: "MY_VERSION", Text: "The server is older than MariaDB 10.6 or MySQL 8.0.", Mend: "Upgrade the server."},
		{Code: "MY_BINLOG_OFF", Text: "The server writes no binary log, so that there is nothing to read changes from.", Mend: "Set log_bin and server_id below [mysqld], then restart the server."},
		{Code: "MY_BINLOG_FORMAT", Text: "The server logs statements, or decides by itself; capturing needs the rows that they changed.", Mend: "SET GLOBAL binlog_format = 'ROW'; and write it below [mysqld]. Sessions that are open keep what they had."},
		{Code: "MY_ROW_IMAGE", Text: "Updates and deletes hold a part of the row alone.", Mend: "SET GLOBAL binlog_row_image = 'FULL'; and write it below [mysqld]. Sessions that are open keep what they had."},
		{Code: "MY_ROW_METADATA", Text: "The log does not name the columns of its rows, so that after an ALTER nobody can say which value is of which column.", Mend: "SET GLOBAL binlog_row_metadata = 'FULL'; and write it below [mysqld]. If a table was altered meanwhile, copy it again as the message says."},
		{Code: "MY_PARTIAL_JSON", Text: "An update holds the changed parts of a JSON document, and not the document.", Mend: "SET GLOBAL binlog_row_value_options = ''; " + table},
		{Code: "MY_GTID_OFF", Text: "The server does not number its transactions, so that no place in its log survives a failover: it is read by file and position, and after a failover or RESET BINARY LOGS the tables are copied again. It keeps a source from going on that was at a set of GTIDs.", Mend: "Turn gtid_mode on with the statements that the message shows, in their order."},
		{Code: "MY_REPLICA", Text: "The server is a replica and does not write what it replicates into a log of its own.", Mend: "Set log_slave_updates = ON below [mysqld] and restart it, or write the primary's address into the url."},
		{Code: "MY_BINLOG_FILTER", Text: "The server leaves some databases or tables out of its log, or out of what it replicates from another.", Mend: "Remove the options that the message names from [mysqld], then restart the server."},
		{Code: "MY_RIGHT", Text: "The user lacks a right. It needs SELECT on the captured tables, and on *.* REPLICATION SLAVE and, on MariaDB, BINLOG MONITOR, on MySQL REPLICATION CLIENT.", Mend: "Run the statement that the message shows, as an administrator."},
		{Code: "MY_NO_TABLES", Text: "No table matches, or none of those that match can be captured. Tables that the user may not read are not listed by the server.", Mend: "Correct the patterns below tables, or grant SELECT."},
		{Code: "MY_TABLE_MISSING", Text: "A table that is named in the configuration does not exist, or the user may not read it.", Mend: "Create the table, correct its name, or grant SELECT on it."},
		{Code: "MY_NO_KEY", Text: "A table has no primary key, so that nothing says which row a change is of.", Mend: "Add a primary key; or name unique, not-null columns with overrides: {database.table: {key: [columns]}}; or leave the table out with exclude_tables."},
		{Code: "MY_BAD_KEY", Text: "The key columns that the configuration names are not unique and not null.", Mend: "Name columns with a unique index that are all NOT NULL."},
		{Code: "MY_TYPE", Text: "A column is of a type or a character set that cannot be captured.", Mend: "Leave the table out with exclude_tables."},
		{Code: "MY_CASCADE", Text: "A foreign key changes or deletes rows of the table when its parent changes. The engine does that by itself, and the log does not have it.", Mend: "Make the foreign key RESTRICT; or set fk_cascades: accept if parents' keys are never changed or deleted; or leave the table out with exclude_tables."},
		{Code: "MY_PURGED", Text: "The server has thrown away the part of its log that comes next, and with it the changes in it. See binlog_expire_logs_seconds.", Mend: again},
		{Code: "MY_OTHER_SERVER", Text: "The stored position is of another server, or this server has lost transactions that were captured: a restored backup, or a failover to a replica that was behind.", Mend: "Correct the url; or, if the server was replaced for good, copy the tables again: `evert reset SOURCE --resnapshot --yes`."},
		{Code: "MY_STATE", Text: "The stored state of the source cannot be read.", Mend: again},
		{Code: "MY_GAP", Text: "What the server sends does not go on where the last commit ended: the rest of a transaction that was committed in part, or the rows of an XA transaction that was prepared before the copy.", Mend: again},
		{Code: "MY_SERVER_ID", Text: "Two readers under one server_id throw each other out. One that is ending is waited for, for a minute.", Mend: "Stop the other reader, or give this source another server_id."},
		{Code: "MY_STATEMENT", Text: "A session changed rows and had the statement logged in their place, with binlog_format = STATEMENT or MIXED. The tables that it names have stopped; where triggers, views or routines may have changed more, so have all of its database.", Mend: "See which program sets binlog_format. " + table},
		{Code: "MY_TABLE_CHANGED", Text: "A table was changed in a way that its earlier rows do not follow, or its rows were changed without a word in the log.", Mend: table},
		{Code: "MY_TABLE_ADDED", Text: "A table that was made after the snapshot has no primary key, or the log does not name its columns; what it had by then was passed over.", Mend: "Give it a primary key; it is copied then, and the others go on meanwhile."},
		{Code: "MY_VALUE", Text: "A value cannot be kept: it is not valid in its column's character set, or not what its type holds.", Mend: "Correct the row, or leave the table out with exclude_tables. " + table},
		{Code: "MY_ZERO_DATE", Text: "A column that may not be NULL holds, or can hold, a date that the calendar does not have, such as 0000-00-00. In columns that may be NULL it becomes NULL.", Mend: "Set zero_dates: epoch, which writes 1970-01-01 as Debezium does; or correct the rows. " + table},
		{Code: "MY_EVENT", Text: "The log holds something that cannot be read or must not be passed over: an unknown event, an INCIDENT, a damaged event.", Mend: again},
		{Code: "MY_SYNC_BINLOG", Text: "The server does not write its log to disk at each commit. After a power cut it may have forgotten transactions that were captured.", Mend: "SET GLOBAL sync_binlog = 1; and write it below [mysqld]."},
		{Code: "MY_RETENTION", Text: "The server throws its log away soon. A source that rests for longer has to be copied again.", Mend: "SET GLOBAL binlog_expire_logs_seconds to more; and write it below [mysqld]."},
		{Code: "MY_ENGINE", Text: "A table's engine has no transactions. What a rolled back transaction did to it stays, its copy is of no one moment, and its rows come again after the copy.", Mend: "ALTER TABLE … ENGINE = InnoDB."},
		{Code: "MY_GTID_STRICT", Text: "The server takes transactions whose numbers do not rise, so that after a failover a position may mean two histories.", Mend: "SET GLOBAL gtid_strict_mode = ON; and write it below [mysqld]."},
		{Code: "MY_COPY", Text: "The rows of a table could not be read, or not be merged with the stream, again and again, while it was copied beside the stream. The table has stopped.", Mend: "Correct what the server says. " + table},
		{Code: "MY_WHERE", Text: "The condition that chooses the rows of a table to be copied is none that the server takes or can evaluate for every row, or may choose others the next time.", Mend: "Correct the condition under snapshot.where at the place that is named: columns of the table, constants instead of now(), no functions of your own."},
		{Code: "MY_SNAPSHOT_WAITS", Text: "A comparison needs a moment in which nothing is committing, and the server had none. Capture stood still meanwhile and goes on now.", Mend: "Compare again when less is written."},
		{Code: "MY_XA_LARGE", Text: "Prepared XA transactions need more than limits.transaction_bytes of memory and limits.spill_bytes of disk.", Mend: "End what XA RECOVER lists, or raise limits.spill_bytes."},
	}
}
