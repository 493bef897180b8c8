package mysql

import (
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/evertdb/evert/sources/mysql/binlogvalue"
)

// Every character of a character set is what the server takes it for; bytes that only
// one of both knows are refused, never read as another character.
func TestCharsets(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		return // nothing here is shared between goroutines
	}
	d := newDB(t)
	single := []string{"latin1", "armscii8", "dec8", "geostd8", "hp8", "keybcs2", "macce", "swe7", "latin2", "latin5", "latin7", "greek", "hebrew", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "koi8r", "koi8u", "macroman", "tis620", "ascii"}
	double := []string{"gbk", "gb2312", "big5", "sjis", "cp932", "ujis", "eucjpms", "euckr"}
	wide := []string{"ucs2", "utf16", "utf16le"}
	for _, c := range []struct {
		list []string
		make func() []string
	}{{single, singleBytes}, {double, doubleBytes}, {wide, wideBytes}} {
		d.do("DROP TABLE IF EXISTS b", "CREATE TABLE b (b varbinary(4))")
		fill(d, c.make())
		for _, name := range c.list {
			t.Run("M30 "+name, func(t *testing.T) { compareCharset(d.under(t), name) })
		}
	}
}

func fill(d *db, all []string) {
	for part := range slices.Chunk(all, 8000) {
		d.do("INSERT INTO b VALUES (x'" + strings.Join(part, "'),(x'") + "')")
	}
}

func singleBytes() (all []string) {
	for b := range 256 {
		all = append(all, fmt.Sprintf("%02x", b))
	}
	return all
}

// doubleBytes are all with EVERT_FULL=1, else every fifth.
func doubleBytes() (all []string) {
	step := 5
	if os.Getenv("EVERT_FULL") == "1" {
		step = 1
	}
	for b := range 0x80 {
		all = append(all, fmt.Sprintf("%02x", b))
	}
	for hi := 0x81; hi < 0xff; hi++ {
		for lo := 0x40; lo < 0xff; lo += step {
			all = append(all, fmt.Sprintf("%02x%02x", hi, lo))
		}
	}
	return all
}

func wideBytes() (all []string) {
	for u := 0x20; u < 0x10000; u += 5 {
		all = append(all, fmt.Sprintf("%04x", u))
	}
	return all
}

// compareCharset takes what the server knows as truth.
func compareCharset(d *db, name string) {
	d.Helper()
	s := d.session()
	all, err := loadCollations(d.Context(), s)
	if err == nil {
		err = all.need(d.Context(), s, []binlogvalue.Column{{Charset: name}})
	}
	if err != nil {
		d.Fatal(err)
	}
	rows, err := s.query(d.Context(), "SELECT hex(b), coalesce(hex(convert(convert(b using "+name+") using utf8mb4)), ''), coalesce(hex(convert(convert(convert(b using "+name+") using utf8mb4) using "+name+")), '') FROM "+d.name+".b")
	if err != nil {
		d.Fatal(err)
	}
	var wrong []string
	right, refused := 0, 0
	for i := range rows {
		known, _ := hex.DecodeString(rows.text(i, 1))
		if len(known) == 0 || strings.ContainsAny(string(known), "?\uFFFD") && !strings.HasSuffix(rows.text(i, 0), "3F") {
			continue // the server does not know it either
		}
		b, _ := hex.DecodeString(rows.text(i, 0))
		text, err := all.charsets.Decode(name, b)
		switch got := strings.ToUpper(hex.EncodeToString(text)); {
		case err != nil && rows.text(i, 2) != rows.text(i, 0): // MySQL leaves out what it does not know
		case err != nil:
			refused++
		case got != rows.text(i, 1):
			wrong = append(wrong, fmt.Sprintf("%s is %s, not %s", rows.text(i, 0), rows.text(i, 1), got))
		default:
			right++
		}
	}
	d.Logf("%d characters are the server's, %d are refused", right, refused)
	if refused > 0 && !strings.HasPrefix(name, "utf16") && name != "ucs2" && name != "utf16" { // of those, half a pair is none
		d.Errorf("%d are refused", refused)
	}
	if len(wrong) > 0 {
		d.Errorf("%d are read as another character: %v", len(wrong), wrong[:min(8, len(wrong))])
	}
	if right < 100 {
		d.Errorf("only %d are the server's", right)
	}
}
