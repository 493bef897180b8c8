package mysql

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// need makes the character sets of columns known, by asking the server what it takes
// each of their bytes for.
func (c *collations) need(ctx context.Context, s *session, columns []binlogvalue.Column) error {
	for i := range columns {
		name := columns[i].Charset
		if name == "" || name == "binary" || c.charsets.Knows(name) || c.unheard[name] {
			continue
		}
		set, err := loadCharset(ctx, s, name)
		if err != nil {
			return fmt.Errorf("character set %s: %w", name, err)
		}
		if set == nil {
			c.unheard[name] = true
			continue
		}
		c.charsets.Add(name, set)
	}
	return nil
}

// loadCharset reads the characters of one byte and, where there are any, of two and
// three. It is nil for a character set that is not of this server.
func loadCharset(ctx context.Context, s *session, name string) (*binlogvalue.Charset, error) {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return nil, nil // it stands in the statement
	}
	rows, err := s.query(ctx, "SELECT MAXLEN FROM information_schema.CHARACTER_SETS WHERE CHARACTER_SET_NAME = "+quoteText(name))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	set := &binlogvalue.Charset{}
	for _, bytes := range []string{"char(h.n)", "char(h.n, l.n)", "char(143, h.n, l.n)"}[:min(3, rows.int(0, 0))] {
		if err := loadCharacters(ctx, s, name, bytes, set); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// loadCharacters asks for all characters of one length. What the server does not know
// it turns into question marks, or into several characters.
func loadCharacters(ctx context.Context, s *session, name, bytes string, set *binlogvalue.Charset) error {
	const digits = "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7)"
	// 256 numbers; a character of several bytes begins above 127.
	const numbers = "(SELECT a.d * 64 + b.d * 8 + c.d AS n FROM " + digits + " a JOIN " + digits + " b JOIN " + digits + " c WHERE a.d < 4)"
	from := numbers + " h"
	if strings.Contains(bytes, "l.n") {
		from += " JOIN " + numbers + " l WHERE h.n > 127"
	}
	sql := fmt.Sprintf("SELECT hex(b), hex(u) FROM (SELECT b, convert(convert(b USING %s) USING utf8mb4) u FROM (SELECT %s b FROM %s) x) y WHERE char_length(u) = 1 AND (hex(u) <> '3F' OR b = x'3F')", name, bytes, from)
	rows, err := s.query(ctx, sql)
	if err != nil {
		return err
	}
	for i := range rows {
		b, _ := hex.DecodeString(rows.text(i, 0))
		text, _ := hex.DecodeString(rows.text(i, 1))
		if r, size := utf8.DecodeRune(text); size == len(text) && r != utf8.RuneError {
			set.Set(b, r)
		}
	}
	return nil
}
