package postgres

import (
	"fmt"
	"strconv"
	"strings"
)

// An lsn is a place in the server's write-ahead log.
type lsn uint64

// A receivedLSN is a place up to which everything was read from the server. It
// says nothing about what is safe downstream.
type receivedLSN lsn

// A durableLSN is a place up to which everything is committed downstream. It is
// made from an acknowledged position and from nothing else, and is the only LSN
// that the server is told as flushed (P06).
type durableLSN lsn

// String prints an LSN as Postgres does: 16/B374D848.
func (l lsn) String() string {
	b := strconv.AppendUint(make([]byte, 0, 17), uint64(l>>32), 16)
	b = append(b, '/')
	b = strconv.AppendUint(b, uint64(uint32(l)), 16)
	for i, c := range b {
		if c >= 'a' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

func parseLSN(text string) (lsn, error) {
	high, low, ok := strings.Cut(text, "/")
	h, err1 := strconv.ParseUint(high, 16, 32)
	l, err2 := strconv.ParseUint(low, 16, 32)
	if !ok || err1 != nil || err2 != nil || len(high) > 8 || len(low) > 8 {
		return 0, fmt.Errorf("%q is not an LSN", text)
	}
	return lsn(h<<32 | l), nil
}

// reached compares native positions (pipeline.Source.Reached).
func reached(have, want string) (bool, error) {
	h, err := parseLSN(have)
	if err != nil {
		return false, err
	}
	w, err := parseLSN(want)
	return h >= beforeHeader(w), err
}

// A page of the log begins with a header, the first one of a segment with a
// longer one; segments are multiples of a MiB. Records end on 8 bytes and have 24
// at least.
const (
	pageBytes     = 8192
	pageHeader    = 24
	segmentHeader = 40
	segmentUnit   = 1 << 20
)

// beforeHeader takes a place behind the header of a page back to where the page
// begins: nothing lies between. The server names both: with the log written up to
// the end of a page, pg_current_wal_insert_lsn() is behind the next header and
// pg_current_wal_flush_lsn() before it, and on an idle server it stays so.
func beforeHeader(l lsn) lsn {
	switch {
	case l%pageBytes == pageHeader:
		return l - pageHeader
	case l%segmentUnit == segmentHeader:
		return l - segmentHeader
	}
	return l
}
