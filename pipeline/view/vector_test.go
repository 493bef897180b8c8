package view

import (
	"maps"
	"testing"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
)

func TestNatives(t *testing.T) {
	want := map[string]string{"shop": "0/2D0A4A8", "billing": "mysql-bin.000003:4711", "crm": "3e11fa47:1-5, 77:1"}
	v := Vector{}
	for source, native := range want {
		v[source] = log.Frontier{Resume: pipeline.Resume{At: pipeline.Position{Native: native}}}
	}
	isSource := func(name string) bool { return want[name] != "" }
	if got := Natives(v.String(), isSource); !maps.Equal(got, want) {
		t.Errorf("%v, want %v, of %s", got, want, v)
	}
	if got := Natives("", isSource); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}
