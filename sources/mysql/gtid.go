package mysql

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/google/uuid"
)

// A place is where a server's log was read to: MariaDB's position, one GTID for each
// domain, MySQL's set of GTIDs, or file and position where there are none. Native positions
// are places as text; the place before everything is "none".
//
//	MariaDB   0-1-13,1-7-2                                 domain-server-sequence
//	MySQL     3e11fa47-71ca-11e1-9e33-c80aa9429562:1-23    server:sequences
//	          bin.000041:1234                              file:position
type place struct {
	domains []domainGTID        // MariaDB, by domain
	set     *mysql.MysqlGTIDSet // MySQL; nil: MariaDB, or nothing
	log     logPosition         // without GTIDs; zero: there are some, or nothing
}

// A domainGTID is a transaction of MariaDB.
type domainGTID struct {
	domain, server uint32
	seq            uint64
}

func (g domainGTID) String() string {
	b := strconv.AppendUint(nil, uint64(g.domain), 10)
	b = strconv.AppendUint(append(b, '-'), uint64(g.server), 10)
	return string(strconv.AppendUint(append(b, '-'), g.seq, 10))
}

const nowhere = "none"

// parsePlace reads a native position.
func parsePlace(text string) (place, error) {
	text = strings.ReplaceAll(text, "\n", "")
	switch {
	case text == nowhere || text == "":
		return place{}, nil
	case strings.Contains(text, "."):
		p, ok := parseLogPosition(text)
		if !ok {
			return place{}, fmt.Errorf("%q is no file and position", text)
		}
		return place{log: p}, nil
	case strings.Contains(text, ":"):
		set, err := mysql.ParseMysqlGTIDSet(text)
		if err != nil {
			return place{}, fmt.Errorf("%q is not a set of GTIDs", text)
		}
		return place{set: set.(*mysql.MysqlGTIDSet)}, nil
	}
	var p place
	for _, part := range strings.Split(text, ",") {
		g, err := parseDomainGTID(strings.TrimSpace(part))
		if err != nil {
			return place{}, err
		}
		p.put(g)
	}
	return p, nil
}

func parseDomainGTID(text string) (g domainGTID, err error) {
	parts := strings.Split(text, "-")
	if len(parts) == 3 {
		var d, s uint64
		d, err = strconv.ParseUint(parts[0], 10, 32)
		if err == nil {
			s, err = strconv.ParseUint(parts[1], 10, 32)
		}
		if err == nil {
			g.seq, err = strconv.ParseUint(parts[2], 10, 64)
		}
		g.domain, g.server = uint32(d), uint32(s)
	}
	if len(parts) != 3 || err != nil {
		return g, fmt.Errorf("%q is not a GTID", text)
	}
	return g, nil
}

// put makes g the last transaction of its domain.
func (p *place) put(g domainGTID) {
	i, found := slices.BinarySearchFunc(p.domains, g.domain, func(x domainGTID, d uint32) int { return cmp.Compare(x.domain, d) })
	if !found {
		p.domains = slices.Insert(p.domains, i, g)
		return
	}
	p.domains[i] = g
}

// String is the native position.
func (p place) String() string {
	if !p.log.isZero() {
		return p.log.String()
	}
	if p.set != nil && !p.set.IsEmpty() {
		return p.set.String()
	}
	if len(p.domains) == 0 {
		return nowhere
	}
	var b strings.Builder
	for i, g := range p.domains {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(g.String())
	}
	return b.String()
}

// contains reports whether everything before q lies before p.
func (p place) contains(q place) bool {
	if !q.log.isZero() {
		return p.log.reaches(q.log)
	}
	if q.set != nil {
		return q.set.IsEmpty() || p.set != nil && p.set.Contain(q.set)
	}
	for _, g := range q.domains {
		if !p.holds(gtid{domainGTID: g}) {
			return false
		}
	}
	return true
}

// A gtid is a transaction of either server.
type gtid struct {
	domainGTID
	my  bool
	sid uuid.UUID
	tag mysql.Tag
	log logPosition // of one without a GTID: its name
}

func (g gtid) String() string {
	switch {
	case !g.log.isZero():
		return g.log.String()
	case !g.my:
		return g.domainGTID.String()
	case g.tag.String() != "":
		return g.sid.String() + ":" + g.tag.String() + ":" + strconv.FormatUint(g.seq, 10)
	}
	return g.sid.String() + ":" + strconv.FormatUint(g.seq, 10)
}

// holds reports whether a transaction lies before p. MariaDB's sequence numbers rise
// within a domain, whichever server gave them.
func (p place) holds(g gtid) bool {
	if !g.log.isZero() {
		return p.log.reaches(g.log)
	}
	if g.my {
		if p.set == nil {
			return false
		}
		one := mysql.NewMysqlGTIDSet()
		one.AddGTIDWithTag(g.sid, g.tag, int64(g.seq))
		return p.set.Contain(&one)
	}
	for _, x := range p.domains {
		if x.domain == g.domain {
			return x.seq >= g.seq
		}
	}
	return false
}

// add moves p behind a transaction.
func (p *place) add(g gtid) {
	if !g.my {
		p.put(g.domainGTID)
		return
	}
	if p.set == nil {
		set := mysql.NewMysqlGTIDSet()
		p.set = &set
	}
	p.set.AddGTIDWithTag(g.sid, g.tag, int64(g.seq))
}

func (p place) clone() place {
	c := place{domains: slices.Clone(p.domains), log: p.log}
	if p.set != nil {
		c.set = p.set.Clone().(*mysql.MysqlGTIDSet)
	}
	return c
}

// isLinear reports whether of two places of one server one contains the other.
func (p place) isLinear() bool { return p.set != nil || !p.log.isZero() }

// meet is the place before which everything lies before both.
func (p place) meet(q place) place {
	if p.isLinear() || q.isLinear() {
		if q.contains(p) {
			return p.clone()
		}
		return q.clone() // those of one server at two times: one holds the other
	}
	var out place
	for _, x := range p.domains {
		for _, y := range q.domains {
			if x.domain == y.domain && x.seq <= y.seq {
				out.put(x)
			} else if x.domain == y.domain {
				out.put(y)
			}
		}
	}
	return out
}

// join is the place behind both.
func (p place) join(q place) place {
	if p.isLinear() || q.isLinear() {
		if p.contains(q) {
			return p.clone()
		}
		return q.clone()
	}
	out := p.clone()
	for _, y := range q.domains {
		if !out.holds(gtid{domainGTID: y}) {
			out.put(y)
		}
	}
	return out
}

// gtidSet is the place as the client takes it.
func (p place) gtidSet(mariaDB bool) (mysql.GTIDSet, error) {
	text := p.String()
	if text == nowhere {
		text = ""
	}
	if mariaDB {
		return mysql.ParseMariadbGTIDSet(text)
	}
	return mysql.ParseMysqlGTIDSet(text)
}

func reached(have, want string) (bool, error) {
	h, err := parsePlace(have)
	if err != nil {
		return false, err
	}
	w, err := parsePlace(want)
	if err != nil {
		return false, err
	}
	return h.contains(w), nil
}
