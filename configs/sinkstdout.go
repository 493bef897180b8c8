package configs

// Stdout is the standard output: a line of JSON for each change.
type Stdout struct{}
