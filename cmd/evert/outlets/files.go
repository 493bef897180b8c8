package outlets

import (
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/sinks/files"
)

func filesConnector() Connector {
	return Connector{
		Atomic: true,
		has:    func(s *configs.Sink) bool { return s.Files != nil },
		Shape:  func(s *configs.Sink) string { return "files " + s.Files.Format },
		Open:   func(p Place) (Outlet, error) { return filesOutlet{p}, nil },
	}
}

// filesOutlet is a folder of files.
type filesOutlet struct{ Place }

// Target implements outlet.
func (o filesOutlet) Target() (deliver.Target, error) {
	f := o.sink().Files
	compression := f.Compression
	if compression == "none" {
		compression = "null" // as Avro calls it
	}
	return files.New(files.Config{
		Name: o.Name, Owner: o.Config.Name + "/" + o.Name, Path: f.Path, Origins: o.origins(),
		Format: files.Format(f.Format), Compression: compression, RotateBytes: int64(f.RotateBytes), RotateAfter: f.RotateAfter,
		Retention: f.Retention, Block: int(f.Block), Rejects: o.Rejects,
	}), nil
}
