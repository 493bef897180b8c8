package avro_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// orders has a column of every type that the mapping tells apart.
func orders() *schema.Table {
	icu := schema.Collation{Name: "en-x-icu", Provider: "i", Deterministic: true}
	return &schema.Table{Schema: "public", Name: "orders", Key: []int{1, 0}, Columns: []schema.Column{
		{Name: "id", Type: bigint},
		{Name: "region", Type: mood},
		{Name: "flag", Type: boolean},
		{Name: "small", Type: smallint, Nullable: true},
		{Name: "medium", Type: integer, Nullable: true},
		{Name: "single", Type: realType, Nullable: true},
		{Name: "double", Type: double, Nullable: true},
		{Name: "price", Type: numericOf(10, 2), Nullable: true},
		{Name: "rounded", Type: numericOf(5, -2), Nullable: true},
		{Name: "ratio", Type: numeric, Nullable: true},
		{Name: "ratios", Type: arrayOf(numeric), Nullable: true},
		{Name: "note", Type: text, Nullable: true, Collation: icu},
		{Name: "raw", Type: bytea, Nullable: true},
		{Name: "day", Type: date, Nullable: true},
		{Name: "at_ms", Type: timeMs, Nullable: true},
		{Name: "at_us", Type: timeUs, Nullable: true},
		{Name: "made_ms", Type: stampMs, Nullable: true},
		{Name: "made_us", Type: stampUs, Nullable: true},
		{Name: "made_tz", Type: zoned, Nullable: true},
		{Name: "token", Type: uuid, Nullable: true},
		{Name: "doc", Type: jsonb, Nullable: true},
		{Name: "tags", Type: arrayOf(text)},
		{Name: "client addr", Type: inet, Nullable: true},
	}}
}

// The schemas are files that a person can review; -update rewrites them.
func TestGoldenSchemas(t *testing.T) {
	for name, o := range map[string]avro.Options{"debezium": options, "row": rowOptions()} {
		o.Topic = "shop.public.orders"
		c := compile(t, orders(), o)
		golden(t, name+"-key.avsc", c.KeySchema())
		golden(t, name+"-value.avsc", c.ValueSchema())
	}
}

func golden(t *testing.T, name, schema string) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(schema), "", " "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
		t.Errorf("%s differs (-want +got), run with -update if that is meant:\n%s", path, diff)
	}
}
