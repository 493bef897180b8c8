package pgsql

// A TableName names a table in the catalog's exact case.
type TableName struct{ Schema, Name string }

// SQL writes its name with both parts quoted.
func (t TableName) SQL() string { return QuoteTable(t.Schema, t.Name) }
