package codes

// ofFile are the codes of the configuration file, which configs explains.
func ofFile() []Entry {
	return []Entry{
		{Code: "BAD_ADDRESS", Mend: "Write the address in the form that the message names, such as 127.0.0.1:8380."},
		{Code: "BAD_DURATION", Mend: "Write a number and a unit: 50ms, 10s, 5m, 1h."},
		{Code: "BAD_NAME", Mend: "Choose a name of the form that the message names, such as shop."},
		{Code: "BAD_REFERENCE", Mend: "Write ${VAR}, ${VAR:-default} or ${file:/path}; for a dollar sign itself, $$."},
		{Code: "BAD_SIZE", Mend: "Write a number and a unit: 512KiB, 64MiB, 1GiB."},
		{Code: "BAD_TABLE", Mend: "Write schema.table in the catalog's exact case; quote a part that holds . * \" or a space."},
		{Code: "BAD_URL", Mend: "Write the URL in the form that the message names."},
		{Code: "BAD_VALUE", Mend: "Write one of the values that the message lists."},
		{Code: "CONFIG_FEATURE", Mend: "Write the values out without that feature of YAML."},
		{Code: "CONFIG_LIMIT", Mend: "Make the file smaller or flatter, or split it into several deployments."},
		{Code: "CONFIG_READ", Mend: "Name a readable file with -c FILE, or write one with `evert init URL`."},
		{Code: "CONFIG_SYNTAX", Mend: "Mend the line that is shown, then run `evert check` again."},
		{Code: "CONFIG_TAB", Mend: "Replace the tab by spaces."},
		{Code: "CONFLICTING_KEYS", Mend: "Remove one of the keys that exclude each other."},
		{Code: "DUPLICATE_KEY", Mend: "Remove one of the two."},
		{Code: "EMPTY_VALUE", Mend: "Write a value, or remove the key."},
		{Code: "FORBIDDEN_SETTING", Mend: "Remove the setting; Evert sets it itself."},
		{Code: "INSECURE_TLS", Mend: "Verify the server's certificate fully, or write insecure: true beside it."},
		{Code: "MISSING_KEY", Mend: "Add the key that the message names."},
		{Code: "MISSING_VARIABLE", Mend: "Set the variable in the environment of evert, or write ${VAR:-default}."},
		{Code: "NAME_COLLISION", Mend: "Rename one of the two."},
		{Code: "OPEN_LISTENER", Mend: "Listen on 127.0.0.1, or add serve.token and serve.tls, or set behind_proxy: true."},
		{Code: "OUT_OF_RANGE", Mend: "Choose a value within the bounds that the message names."},
		{Code: "SECRET_FILE", Mend: "Make the file readable for the user that runs evert, and for nobody else."},
		{Code: "UNKNOWN_KEY", Mend: "Write the key that the message proposes, or remove it."},
		{Code: "UNQUOTED_STRING", Mend: "Put the value in quotes."},
		{Code: "UNUSED_OVERRIDE", Mend: "Add the table to tables, or mend its name."},
		{Code: "WRONG_TYPE", Mend: "Write the kind of value that the message names."},
	}
}
