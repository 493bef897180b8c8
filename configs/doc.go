// Package configs is the file of a deployment: its structs, strict loading, the
// JSON Schema for editors, and one runnable recipe per file in recipes.
//
//	text ──► tree ──► decode ──► complete ──► check ──► *Config
//	 tree.go  │       decode.go   └───── check.go ┘
//	          └ YAML with places     notbuilt.go: known keys that nothing obeys yet
//
// # The grammar
//
// The structs are the grammar. A field's tags say its key, default, choices,
// bounds and format; the comment above it is its description. Decoder, schema
// and effective configuration all read the same tags, so a new key is one field:
//
//	// Rows that may wait between a source and its log, per source.
//	QueueRows int `yaml:"queue_rows" default:"16384" min:"1" max:"10000000"`
//
// and `go test ./configs -update` writes schema, REFERENCE.md and golden errors anew.
//
// # The rules
//
//   - Strict. An unknown or duplicate key, a value of another type, an empty one, a
//     word that YAML readers disagree about (no, on, null, 1.10 where text is
//     needed) are errors. Nothing is ignored.
//   - All mistakes at once, in file order, each with file:line:column, a code, the
//     line with a caret below it, and what mends it. Only a file that is not YAML
//     ends at its first mistake.
//   - ${VAR}, ${VAR:-default}, ${file:/path}; $${ is ${ itself. They are expanded
//     after parsing, in values only and once: what a variable holds is not looked
//     at again. Inside { } and [ ] YAML wants quotes around them. A default may
//     hold references.
//   - Durations are 50ms, sizes 64MiB, rates 50MiB/s. A number without a unit is an
//     error.
//   - A table is schema.table in the catalog's exact case; see [TablePattern].
//   - Names are [a-z][a-z0-9_-]{0,40}.
//   - TLS is verified in full to every other machine; weaker needs insecure: true
//     and is among [Config.Warnings] at each start. See [ParsePostgresURL].
//   - A listener that other machines reach needs a token and TLS, or a proxy.
//   - Files are bounded in size, depth and values with aliases written out. Tags,
//     merge keys and second documents are not read.
//
// # Secrets
//
// A [Secret] never prints itself. It is revealed for connecting, and the files
// it refers to are read again each time. Errors never quote a URL, nor anything
// below a key that names a password, token, key or url, nor what a variable
// holds. In the printed line everything is masked that was not expressly shown:
// structure, known keys, and values of fields that are no secrets.
//
// # Beside the file
//
// What people copy and adapt lies here too, since there is no other room for it:
// monitoring holds alert rules, a dashboard and the list of metrics, deploy a
// unit for systemd and a container file. integration/alerts and
// integration/deploy try them.
//
// A Config is immutable once loaded. Nothing here connects, writes, or logs.
package configs
