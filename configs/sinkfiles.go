package configs

// Files is a folder that changes are written to, file after file.
type Files struct {
	// The folder; relative to the working directory.
	Path string `yaml:"path" format:"path" required:"true"`
}
