package avro

import (
	"strings"
	"testing"
	"time"

	hamba "github.com/hamba/avro/v2"

	"github.com/evertdb/evert/schema"
)

// The source block of MySQL is Debezium's: its fields in their order, read back by a
// library and by ourselves.
func TestMySQLSource(t *testing.T) {
	table := &schema.Table{
		Database: "shop", Schema: "shop", Name: "items", Key: []int{0},
		Columns: []schema.Column{{Name: "id", Type: schema.Type{Kind: schema.KindInt, Name: "bigint", Bits: 64}}},
	}
	for _, connector := range []string{"mysql", "mariadb"} {
		c, err := Compile(table, Options{Topic: "s.shop.items", Connector: connector, Version: "1", Name: "s", Database: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(c.ValueSchema(), `"connect.name":"io.debezium.connector.`+connector+`.Source"`) {
			t.Errorf("the source block of %s has another name", connector)
		}
		origin := &Origin{At: time.UnixMilli(1700000000123).UTC(), MySQL: MySQL{Server: 7, GTID: "0-7-99", File: "bin.000012", Pos: 4321, Row: 3}}
		b, err := c.AppendValue(nil, &Event{Op: 'c', After: schema.Row{schema.Int(5)}, Origin: origin, At: origin.At})
		if err != nil {
			t.Fatal(err)
		}
		var generic map[string]any
		if err := hamba.Unmarshal(hamba.MustParse(c.ValueSchema()), b, &generic); err != nil {
			t.Fatal(err)
		}
		source := generic["source"].(map[string]any)
		for name, want := range map[string]any{"server_id": int64(7), "gtid": "0-7-99", "file": "bin.000012", "pos": int64(4321), "row": 3, "table": "items", "db": "shop", "thread": nil, "query": nil} {
			if source[name] != want {
				t.Errorf("source.%s is %v, want %v", name, source[name], want)
			}
		}
		e, err := c.DecodeValue(b, &Arena{})
		if err != nil || e.Origin.MySQL != origin.MySQL || !e.Origin.At.Equal(origin.At) {
			t.Errorf("read back: %+v, %v", e.Origin, err)
		}
	}
}
