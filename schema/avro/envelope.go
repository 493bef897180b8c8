package avro

import (
	"strconv"
	"time"
)

// A sourceBlock holds the parts of the source block that never change, already
// encoded:
//
//	head       version connector name
//	           ts_ms snapshot
//	database   db
//	           sequence ts_us ts_ns
//	table      schema table
//	           txId lsn xmin origin origin_lsn
//
// That of MySQL has no sequence, and behind the times
//
//	table      table
//	           server_id gtid file pos row thread query
type sourceBlock struct {
	head, database, table []byte
	mysql                 bool
}

func newSourceBlock(o *Options, schema, table string) sourceBlock {
	var s sourceBlock
	s.head = appendString(appendString(appendString(nil, o.Version), o.Connector), o.Name)
	s.database = appendString(nil, o.Database)
	if s.mysql = isMySQL(o.Connector); s.mysql {
		s.table = appendString([]byte{2}, table)
		return s
	}
	s.table = appendString(appendString(nil, schema), table)
	return s
}

// append writes the source block of a change.
func (s *sourceBlock) append(dst []byte, o *Origin) []byte {
	dst = append(dst, s.head...)
	dst = appendLong(dst, millis(o.At))
	dst = appendString(append(dst, 0), o.Snapshot.String())
	dst = append(dst, s.database...)
	if s.mysql {
		return s.appendMySQL(dst, o)
	}
	dst = appendSequence(dst, &o.Postgres)
	dst = appendMicrosNanos(dst, o.At)
	dst = append(dst, s.table...)
	dst = appendNumber(dst, o.Postgres.TxID)
	dst = appendNumber(dst, o.Postgres.LSN)
	dst = appendNumber(dst, o.Postgres.Xmin)
	if o.Postgres.Origin == "" {
		dst = append(dst, 0)
	} else {
		dst = appendString(append(dst, 2), o.Postgres.Origin)
	}
	return appendNumber(dst, o.Postgres.OriginLSN)
}

// appendMySQL writes what follows the database of a MySQL change.
func (s *sourceBlock) appendMySQL(dst []byte, o *Origin) []byte {
	dst = appendMicrosNanos(append(dst, 0), o.At)
	dst = appendLong(append(dst, s.table...), int64(o.MySQL.Server))
	if o.MySQL.GTID == "" {
		dst = append(dst, 0)
	} else {
		dst = appendString(append(dst, 2), o.MySQL.GTID)
	}
	dst = appendLong(appendString(dst, o.MySQL.File), int64(o.MySQL.Pos))
	return append(appendLong(dst, int64(o.MySQL.Row)), 0, 0)
}

// appendSequence writes `["<commit LSN>","<LSN>"]`, whose length always fits
// one byte.
func appendSequence(dst []byte, p *Postgres) []byte {
	dst = append(dst, 2, 0)
	at := len(dst)
	dst = appendQuotedNumber(append(dst, '['), p.CommitLSN)
	dst = appendQuotedNumber(append(dst, ','), p.LSN)
	dst = append(dst, ']')
	dst[at-1] = byte(len(dst)-at) << 1
	return dst
}

func appendQuotedNumber(dst []byte, n uint64) []byte {
	if n == 0 {
		return append(dst, "null"...)
	}
	return append(strconv.AppendUint(append(dst, '"'), n, 10), '"')
}

// appendNumber writes an optional long, 0 as null.
func appendNumber(dst []byte, n uint64) []byte {
	if n == 0 {
		return append(dst, 0)
	}
	return appendLong(append(dst, 2), int64(n))
}

// appendMicrosNanos writes the two finer times, null if there is none.
func appendMicrosNanos(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, 0, 0)
	}
	dst = appendLong(append(dst, 2), t.UnixMicro())
	if s := t.Unix(); s > maxNanoSeconds || s < -maxNanoSeconds {
		return append(dst, 0)
	}
	return appendLong(append(dst, 2), t.UnixNano())
}

// maxNanoSeconds is how far from 1970 nanoseconds still fit an int64.
const maxNanoSeconds = 9_223_372_035

// millis is t in milliseconds since 1970, 0 if there is none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// appendTimes writes the envelope's three times.
func appendTimes(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, 0, 0, 0)
	}
	return appendMicrosNanos(appendLong(append(dst, 2), t.UnixMilli()), t)
}
