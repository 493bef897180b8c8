// Package pgoutput reads and writes the messages of Postgres's built-in logical
// decoding plugin, protocol versions 1 to 4
// (https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html).
//
// One Decoder belongs to one replication stream. Decode looks at one message
// (the payload of one XLogData) and fills the Decoder's fields; nothing is
// copied and, once the slices have grown, nothing is allocated:
//
//	WAL payload ──► Decode ──► d.Row.New[i].Data ──┐ all of them point into
//	   │                       d.Relation.Name    ─┤ the payload, and are valid
//	   └───────────────────────────────────────────┘ until the next Decode
//
// Every length is checked against what is left before it is used, and a message
// must be consumed to its last byte: a server that speaks another dialect is an
// error here and not a wrong row later. Append is the inverse of Decode; scripted
// servers in tests are built from it, and the fuzz test holds the two together.
//
// From protocol 2 on, messages between Stream Start and Stream Stop carry the
// transaction id they belong to. The Decoder keeps track of that itself, so a
// stream must be given to it from its first message; Reset begins a new one.
package pgoutput
