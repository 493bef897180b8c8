package captures

import (
	"testing"

	"github.com/evertdb/evert/cmd/evert/databases"
	"github.com/evertdb/evert/configs"
)

// What people decide of a table's errors and of TRUNCATE reaches the sink.
func TestTopicPolicies(t *testing.T) {
	p := configs.Config{Sources: map[string]*configs.Source{"shop": {OnTableError: configs.StopSource, OnTruncate: configs.StopTable}}}
	if topic := TableTopic(&p, "shop", databases.TableName{Schema: "public", Name: "items"}); !topic.StopSource || !topic.KeepRows {
		t.Errorf("the topic is %+v", topic)
	}
}
