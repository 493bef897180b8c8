// Package binlogvalue turns the row images of MySQL's and MariaDB's binary log, and
// what the same servers answer to a SELECT, into schema.Values. Both ways give the
// same bytes (I6): what differs between them is only how a value is packed.
//
//	row image ─┐                         what a Column says: type, length, sign,
//	           ├─► Codec ─► schema.Row ◄─ character set, labels
//	SELECT ────┘
//
// A Column comes from the log's own table metadata (binlog_row_metadata=FULL) or
// from information_schema. A Codec is compiled from the columns of one version of a
// table and reads rows without reflection and without memory per value: texts in
// UTF-8 and byte strings stay where they came, others go into the arena of the caller.
//
// # Types
//
//	source                               value
//	tinyint … bigint, unsigned below 64  int, in the smallest width that holds it
//	bigint unsigned                      decimal(20,0)
//	decimal(p,s)                         decimal
//	float, double                        float
//	bit(1)                               bool
//	bit(n)                               bytes, the lowest first, as Debezium has it
//	char, varchar, text                  text in UTF-8
//	enum, set                            text: the label, the labels joined by commas
//	binary(n)                            bytes, with its trailing zeros
//	varbinary, blob                      bytes
//	json of MySQL                        JSON text as the server prints it
//	json of MariaDB                      text: it is a longtext there
//	date, datetime, timestamp            date, timestamp; a timestamp in UTC
//	time                                 microseconds, −838:59:59 to 838:59:59
//	year                                 int
//	geometry and its kinds               bytes: WKB, with the SRID as EWKB has it unless it is 0
//	uuid, inet4, inet6 of MariaDB        uuid; text as the server prints it
//	vector                               bytes: 32-bit floats, the lowest byte first
package binlogvalue
