package main

import (
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/sinks/files"
)

func filesConnector() sinkConnector {
	return sinkConnector{
		atomic: true,
		has:    func(s *configs.Sink) bool { return s.Files != nil },
		shape:  func(s *configs.Sink) string { return "files " + s.Files.Format },
		open:   func(p sinkPlace) (outlet, error) { return filesOutlet{p}, nil },
	}
}

// filesOutlet is a folder of files.
type filesOutlet struct{ sinkPlace }

// Target implements outlet.
func (o filesOutlet) Target() (deliver.Target, error) {
	f := o.sink().Files
	compression := f.Compression
	if compression == "none" {
		compression = "null" // as Avro calls it
	}
	return files.New(files.Config{
		Name: o.name, Owner: o.config.Name + "/" + o.name, Path: f.Path, Origin: o.origin(),
		Format: files.Format(f.Format), Compression: compression, RotateBytes: int64(f.RotateBytes), RotateAfter: f.RotateAfter,
		Retention: f.Retention, Block: int(f.Block), Rejects: o.rejects,
	}), nil
}
