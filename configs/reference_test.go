package configs

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The committed reference is what the structs, their tags and comments say, and
// every example in it is one that the schema accepts.
func TestSchemaReferenceIsCurrent(t *testing.T) {
	r := newKeyPage(t)
	want := r.page()
	if *update {
		if err := os.WriteFile("REFERENCE.md", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile("REFERENCE.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Error("REFERENCE.md is not current; run: make schema")
	}
	for _, s := range r.sections {
		schema := compileDefinition(t, s.typ.Name())
		if err := validate(t, schema, []byte(s.exampleBlock())); err != nil {
			t.Errorf("the examples of %s: %v\n%s", s.title(), err, s.exampleBlock())
		}
	}
}

// A keyPage is the page of every key; a section is one struct with the paths at
// which it stands.
type keyPage struct {
	docs     map[string]map[string]string
	sections []*section
}

type section struct {
	typ   reflect.Type
	paths []string
	rows  []refRow
}

type refRow struct{ key, kind, standard, bounds, example, meaning string }

func newKeyPage(t *testing.T) *keyPage {
	r := &keyPage{docs: fieldComments(t)}
	byType := map[reflect.Type]*section{}
	walkTypes(reflect.TypeFor[Config](), "", func(path string, typ reflect.Type) {
		if len(orderOf(typ)) == 0 {
			return
		}
		if s := byType[typ]; s != nil {
			s.paths = append(s.paths, path)
			return
		}
		byType[typ] = &section{typ: typ, paths: []string{path}}
		r.sections = append(r.sections, byType[typ])
	})
	for _, s := range r.sections {
		for _, key := range orderOf(s.typ) {
			s.rows = append(s.rows, r.row(s, key))
		}
	}
	return r
}

func (r *keyPage) row(s *section, key string) refRow {
	f := fieldsOf(s.typ)[key]
	row := refRow{key: key, kind: kindOf(f.Type, f.Tag), standard: f.Tag.Get("default"), bounds: bounds(f.Tag),
		example: s.example(key), meaning: r.docs[s.typ.Name()][f.Name]}
	if f.Tag.Get("required") != "" {
		row.standard = "required"
	} else if row.standard != "" {
		row.standard = code1(row.standard)
	} else if f.Type.Kind() == reflect.Bool {
		row.standard = code1("false")
	}
	return row
}

// kindOf names the type of a value, with its unit.
func kindOf(t reflect.Type, tag reflect.StructTag) string {
	names := map[reflect.Type]string{
		reflect.TypeFor[time.Duration](): "duration", reflect.TypeFor[Size](): "size", reflect.TypeFor[Rate](): "rate",
		reflect.TypeFor[Secret](): "secret", reflect.TypeFor[Text](): "text", reflect.TypeFor[TablePattern](): "table",
		reflect.TypeFor[From](): "text, or list of text",
	}
	if name := names[t]; name != "" {
		return name
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kindOf(t.Elem(), tag)
	case reflect.Slice:
		return "list of " + kindOf(t.Elem(), tag)
	case reflect.Map:
		key := tag.Get("keys")
		if key == "" {
			key = "table"
		}
		return "map of " + kindOf(t.Elem(), "") + " by " + key
	case reflect.Struct:
		return "section"
	case reflect.Bool:
		return "boolean"
	case reflect.Int:
		return "whole number"
	}
	if list := tag.Get("enum"); list != "" {
		return "one of " + code1(strings.Split(list, ",")...)
	}
	if format := tag.Get("format"); format != "" {
		return format
	}
	return "text"
}

func bounds(tag reflect.StructTag) string {
	if tag.Get("min") == "" {
		return ""
	}
	return code1(tag.Get("min")) + " to " + code1(tag.Get("max"))
}

func code1(words ...string) string { return "`" + strings.Join(words, "` `") + "`" }

func (s *section) title() string {
	if s.paths[0] == "" {
		return "The file itself"
	}
	names := strings.NewReplacer("overrides.<name>", "overrides.<table>", "columns.<name>", "columns.<column>", "mask.<name>", "mask.<column>")
	return names.Replace(code1(s.paths...))
}

// example is a value of a key as it stands in a file.
func (s *section) example(key string) string {
	f := fieldsOf(s.typ)[key]
	return exampleFor(f.Type, f.Tag, s.typ.Name()+"."+f.Name)
}

func exampleFor(t reflect.Type, tag reflect.StructTag, field string) string {
	if given := chosenExamples()[field]; given != "" {
		return given
	}
	if text := tag.Get("default"); text != "" {
		return text
	}
	switch t.Kind() {
	case reflect.Pointer:
		return exampleFor(t.Elem(), tag, field)
	case reflect.Slice:
		return "[" + exampleFor(t.Elem(), tag, "") + "]"
	case reflect.Map, reflect.Struct:
		if t != reflect.TypeFor[Secret]() && t != reflect.TypeFor[TablePattern]() && t != reflect.TypeFor[Text]() {
			return "" // has a table of its own
		}
	case reflect.Bool:
		return "true"
	}
	if list := tag.Get("enum"); list != "" {
		first, _, _ := strings.Cut(list, ",")
		return first
	}
	return map[string]string{"name": "shop", "path": "/etc/evert/ca.pem", "topic": "shop", "host": "kafka.example.com", "broker": "kafka-1:9092",
		"column": "id", "slot": "evert_shop", "daytimes": "22:00-05:00", "identifier": "evert_shop", "text": "evert"}[tag.Get("format")]
}

// chosenExamples are those that type and format do not give, by struct and field.
func chosenExamples() map[string]string {
	return map[string]string{
		"Registry.URL": `"http://registry:8081"`, "Registry.Password": `"${file:/run/secrets/registry}"`,
		"SASL.Mechanism": "scram-sha-512", "SASL.Password": `"${file:/run/secrets/kafka}"`, "SASL.Token": `"${KAFKA_TOKEN}"`,
		"TLS.Cert": "/etc/evert/client.pem", "TLS.Key": "/etc/evert/client.key",
		"Postgres.URL": `"${SHOP_URL}"`, "Postgres.Password": `"${file:/run/secrets/shop}"`,
		"MySQLPause.ReplicaLag": "30s", "MySQLPause.ThreadsRunning": "50", "MySQLPause.HistoryList": "1000000", "MySQLSnapshot.MaxRate": "50MiB/s",
		"Pause.ReplicaLag": "30s", "Pause.RetainedWAL": "10GiB", "Pause.OldestXmin": "50000000", "Postgres.MaxRetainedWAL": "50GiB",
		"Postgres.Tables": "[public.*]", "Postgres.ExcludeTables": "[public.audit_*]",
		"MySQL.URL": `"${BILLING_URL}"`, "MySQL.Password": `"${file:/run/secrets/billing}"`, "MySQL.ServerID": "4711",
		"MySQLSnapshot.Where": "{billing.orders: ordered_on >= '2026-01-01'}", "MySQLSnapshot.Order": "[billing.invoices, billing.*]", "MySQL.Tables": "[billing.*]", "MySQL.ExcludeTables": "[billing.audit_*]",
		"Snapshot.MaxRate": "50MiB/s", "Snapshot.URL": `"${SHOP_STANDBY_URL}"`, "Snapshot.Order": "[public.customers, public.*]", "Snapshot.Where": "{public.orders: ordered_on >= date '2026-01-01'}", "Override.Columns": "{email: {mask: redact}}", "Column.Key": `"${file:/run/secrets/pii}"`,
		"Source.Transforms": "[{filter: total > 0}]", "Sink.Transforms": "[{filter: total > 0}]", "Transform.Tables": "[public.orders]", "Transform.Filter": "status <> 'draft'", "Transform.Project": "[id, upper(name) AS name]",
		"Transform.Map": "{gross: net * 1.08}", "Transform.Rename": "{nm: name}", "Transform.Mask": "{email: {mask: redact}}",
		"Transform.Rekey": "[customer_id, id]", "Transform.Route": "{to: \"'orders_' || region\", topics: [public.orders_eu, public.orders_us]}",
		"Transform.Flatten": "{column: address, fields: [street text, geo.lat double precision]}", "Transform.Nest": "{into: address, columns: [street, city]}",
		"Transform.Unnest": "{column: tags, as: tag}", "Transform.Outbox": "{topics: [order, customer]}", "Transform.DropUnchanged": "{columns: [status, total]}",
		"Transform.Metadata": "{columns: {_op: op, _at: time}}", "Transform.Script": "{code: \"def transform(row): return row\"}", "Script.Code": "\"def transform(row): return row\"", "Script.Columns": "{risk: integer}", "Route.To": "\"'orders_' || region\"", "Route.Topics": "[public.orders_eu, public.orders_us]",
		"Flatten.Column": "address", "Flatten.Fields": "[street text, geo.lat double precision]", "Nest.Into": "address", "Nest.Columns": "[street, city]",
		"Unnest.Column": "tags", "Unnest.As": "tag", "Unnest.Ordinal": "number", "Outbox.Topics": "[order, customer]", "DropUnchanged.Columns": "[status, total]",
		"Metadata.Columns": "{_op: op, _at: time}", "Metadata.Headers": "{x-op: op}",
		"Topic.Partitions": "12", "Topic.Cleanup": "compact", "Topic.Config": "{retention.ms: 604800000}", "Topics.Config": "{retention.ms: 604800000}",
		"View.Key": "[customer_id]", "View.Indexes": "[[name], [spent]]", "View.SQL": "SELECT id AS customer_id, name FROM shop.public.customers",
		"Webhook.URL": `"${HOOK_URL}"`, "Files.Path": "./out",
		"Sink.From": "customer_orders", "OpenSearch.URL": `"https://search:9200"`, "OpenSearch.Index": "customers",
		"OpenSearch.Password": `"${file:/run/secrets/search}"`, "OpenSearch.APIKey": `"${SEARCH_API_KEY}"`, "OpenSearch.Token": `"${SEARCH_TOKEN}"`,
		"OpenSearch.Mapping": `{history: '{"type": "nested"}'}`, "OpenSearch.Settings": `{number_of_shards: "3"}`,
		"AWSKeys.Region": "eu-central-1", "AWSKeys.AccessKey": `"${AWS_ACCESS_KEY_ID}"`, "AWSKeys.SecretKey": `"${AWS_SECRET_ACCESS_KEY}"`, "AWSKeys.SessionToken": `"${file:/run/secrets/aws-session}"`,
		"PostgresSink.URL":      `"${MART_URL}"`,
		"PostgresSink.Password": `"${file:/run/secrets/mart}"`, "PostgresSink.Table": "public.customers", "PostgresSink.Schema": "public",
		"Serve.Token": `"${EVERT_TOKEN}"`, "Serve.Health": "127.0.0.1:8381", "Serve.Registry": "127.0.0.1:18081", "Serve.Kafka": "127.0.0.1:19092",
		"ServeTLS.Cert": "/etc/evert/server.pem", "ServeTLS.Key": "/etc/evert/server.key",
	}
}

// exampleBlock is a section that holds all its examples.
func (s *section) exampleBlock() string {
	var b strings.Builder
	for _, row := range s.rows {
		if row.example != "" {
			fmt.Fprintf(&b, "%s: %s\n", row.key, row.example)
		} else if fieldsOf(s.typ)[row.key].Tag.Get("required") != "" { // a map of sections, shown elsewhere
			fmt.Fprintf(&b, "%s: {shop: {}}\n", row.key)
		}
	}
	return b.String()
}

// compileDefinition compiles the schema of one struct.
func compileDefinition(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("evert.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	at := "evert.schema.json#/$defs/" + name
	if name == "Config" {
		at = "evert.schema.json"
	}
	s, err := c.Compile(at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const referenceHead = `# Every key of the file

<!-- Generated from the structs of this folder by ` + "`make schema`" + `; do not edit. -->

Editors complete and check a file with [evert.schema.json](evert.schema.json); runnable files lie in [recipes](recipes). Names
that you choose stand as ` + "`<name>`" + `.

| type | is written as |
|---|---|
| duration | a number with its unit, ` + "`50ms` `10s` `1m30s` `1h`" + ` |
| size | bytes with a unit, ` + "`512KiB` `64MiB` `1GiB`" + `; 1 KiB is 1024 bytes |
| rate | a size per second, ` + "`50MiB/s`" + ` |
| secret | text that is never printed; best a reference, which is read again at each connect |
| table | ` + "`schema.table`" + ` in the catalog's exact case; ` + "`*`" + ` matches within one part; a part with ` + "`. * \"`" + ` or a space is double-quoted |
| name | a lower-case letter and up to 40 of ` + "`a-z 0-9 _ -`" + ` |
| listen | ` + "`host:port`" + `; port 0 takes a free one; ` + "`none`" + ` turns the listener off |
| broker | ` + "`host:port`" + ` |
| path | a file or directory; a relative one is looked up from the working directory |

Every value may be a reference: ` + "`${VAR}`, `${VAR:-default}`, `${file:/path}`; `$${`" + ` is ` + "`${`" + ` itself. Inside ` + "`{ }` and `[ ]`" + ` YAML
wants quotes around them. An unknown key, a key twice and a number without its unit are errors.
`

func (r *keyPage) page() []byte {
	var b bytes.Buffer
	b.WriteString(referenceHead)
	for _, s := range r.sections {
		fmt.Fprintf(&b, "\n## %s\n\n", s.title())
		b.WriteString("| key | type | default | bounds | example | meaning |\n|---|---|---|---|---|---|\n")
		for _, row := range s.rows {
			example := row.example
			if example != "" {
				example = "`" + example + "`"
			}
			cells := []string{"`" + row.key + "`", row.kind, row.standard, row.bounds, example, row.meaning}
			for i, c := range cells {
				cells[i] = strings.NewReplacer("|", `\|`, "<", `\<`).Replace(c)
			}
			b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
		}
	}
	return b.Bytes()
}
