package view

import (
	"crypto/rand"
	"encoding/binary"
	"slices"

	"github.com/evertdb/evert/pipeline/log"
)

// A term is one life of a view's writer, from its first frontier record on. A log that
// was put back to an older copy goes on with other records under the same numbers; by
// their terms the one way is told from the other.
type term struct {
	id    uint64 // random
	first uint64 // the number of its first record
}

// termsKept is how many terms a frontier record names. Of a record before them nobody
// knows whether it was of this history.
const termsKept = 64

// newTerm is a term that begins with a record.
func newTerm(first uint64) term {
	var id [8]byte
	_, _ = rand.Read(id[:]) // it does not fail
	return term{binary.BigEndian.Uint64(id[:]), first}
}

// follow gives the terms behind which the next one is.
func follow(terms []term, next term) []term {
	terms = append(slices.Clone(terms), next)
	return terms[max(0, len(terms)-termsKept):]
}

// The code of terms stands behind that of a vector:
//
//	count:uvarint { id:8 bytes first:uvarint }
func appendTerms(dst []byte, terms []term) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(terms)))
	for _, t := range terms {
		dst = binary.AppendUvarint(binary.BigEndian.AppendUint64(dst, t.id), t.first)
	}
	return dst
}

func parseTerms(b []byte) (terms []term, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > termsKept {
		return nil, errVector
	}
	for b = b[size:]; n > 0; n-- {
		if len(b) < 8 {
			return nil, errVector
		}
		first, size := binary.Uvarint(b[8:])
		if size <= 0 {
			return nil, errVector
		}
		terms = append(terms, term{binary.BigEndian.Uint64(b), first})
		b = b[8+size:]
	}
	if len(b) != 0 {
		return nil, errVector
	}
	return terms, nil
}

// Compare tells how a frontier record of a view stands to an earlier one, of one
// incarnation. It follows if both are of one history, in which it is not the older one.
// It reaches it if no source of the view is at an earlier place than there; one that
// began anew meanwhile is not.
func Compare(has, had *log.Frontier) (follows, reaches bool, err error) {
	now, terms, err := parseState(has.Resume.State)
	if err != nil {
		return false, false, err
	}
	then, before, err := parseState(had.Resume.State)
	if err != nil {
		return false, false, err
	}
	return has.Number >= had.Number && holds(terms, before, had.Number), now.reaches(then), nil
}

// holds reports whether a record of a number, whose terms are before, is of the history
// with these terms. One that names none is of an older release, and is believed.
func holds(terms, before []term, number uint64) bool {
	if len(before) == 0 {
		return true
	}
	i := slices.Index(terms, before[len(before)-1])
	return i >= 0 && (i+1 == len(terms) || terms[i+1].first > number)
}

// reaches reports whether no source is at an earlier place than in then.
func (v Vector) reaches(then Vector) bool {
	for source, had := range then {
		if has, ok := v[source]; ok && has.Incarnation == had.Incarnation && has.Resume.At.Seq < had.Resume.At.Seq {
			return false
		}
	}
	return true
}
