package configs

import "time"

// Files is a folder that changes are written to, file after file.
type Files struct {
	// The folder, for this sink alone; relative to the working directory.
	Path string `yaml:"path" format:"path" required:"true"`
	// What the files hold: lines of JSON, or Avro object containers.
	Format string `yaml:"format" enum:"jsonl,avro" default:"jsonl"`
	// How blocks of Avro are compressed.
	Compression string `yaml:"compression" enum:"none,deflate,snappy,zstandard" default:"none"`
	// A file is finished at this size.
	RotateBytes Size `yaml:"rotate_bytes" default:"128MiB" min:"1KiB" max:"1TiB"`
	// A file is finished when it is this old.
	RotateAfter time.Duration `yaml:"rotate_after" default:"1h" min:"1s" max:"720h"`
	// Finished files are removed when they are this old; 0s keeps them for ever.
	Retention time.Duration `yaml:"retention" default:"0s" min:"0s" max:"87600h"`
	// Bytes that are gathered in memory before they are written; with Avro, of one block.
	Block Size `yaml:"block" default:"256KiB" min:"1KiB" max:"64MiB"`
}

func (d *decoder) checkFiles(name string, f *Files) {
	if f.Format == "jsonl" && d.wrote("sinks", name, "files", "compression") {
		d.add(d.at("sinks", name, "files", "compression"), conflict, "sinks."+name+".files: lines of JSON are not compressed", "remove compression, or write format: avro")
	}
}
