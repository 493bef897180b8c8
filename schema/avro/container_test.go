package avro_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/hamba/avro/v2/ocf"

	"github.com/evertdb/evert/schema"
	"github.com/evertdb/evert/schema/avro"
)

// TestContainer writes a file, cuts it where it was flushed, goes on behind that,
// and reads it with the library.
func TestContainer(t *testing.T) {
	numeric := schema.Type{Kind: schema.KindDecimal, Name: "numeric"}
	table := &schema.Table{Schema: "public", Name: "items", Key: []int{0}, Columns: []schema.Column{
		{Name: "id", Type: numeric}, {Name: "price", Type: numeric, Nullable: true}, {Name: "v", Type: schema.Type{Kind: schema.KindText, Name: "text"}, Nullable: true},
	}}
	row := func(id int) schema.Row {
		return schema.Row{schema.Decimal(fmt.Append(nil, id)), schema.Null(), schema.Text([]byte("ä"))}
	}
	for _, compression := range []string{"null", "deflate", "snappy", "zstandard"} {
		t.Run(compression, func(t *testing.T) {
			var file bytes.Buffer
			o := avro.ContainerOptions{Topic: "app.public.items", Compression: compression, Sync: [16]byte{7}, Block: 1 << 10}
			write := func(from, to int) {
				t.Helper()
				c, err := avro.NewContainer(table, &file, o)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				for n := from; n < to; n++ {
					if err := c.Append(&avro.Delivered{Row: row(n), Key: row(n), Partition: 1, Offset: int64(n), Seq: 9, Native: "0/1"}); err != nil {
						t.Fatal(err)
					}
				}
				if err := c.Append(&avro.Delivered{Key: row(to), Offset: int64(to), Filling: true}); err != nil {
					t.Fatal(err)
				}
				if err := c.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			write(0, 500)
			committed := file.Len()
			o.Continued = true
			write(600, 700)
			file.Truncate(committed)
			write(501, 600)
			dec, err := ocf.NewDecoder(&file)
			if err != nil {
				t.Fatal(err)
			}
			deletes, n := 0, 0
			for ; dec.HasNext(); n++ {
				var got map[string]any
				if err := dec.Decode(&got); err != nil {
					t.Fatal(err)
				}
				if got["offset"] != int64(n) {
					t.Fatalf("change %d is %v", n, got)
				}
				if got["row"] == nil && got["op"] == "delete" && got["filling"] == true && got["key"] != nil {
					deletes++
				}
			}
			if err := dec.Error(); err != nil || n != 601 || deletes != 2 {
				t.Errorf("%d changes, %d deletes, %v", n, deletes, err)
			}
		})
	}
}
