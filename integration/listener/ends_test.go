//go:build unix

package listener

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// endsOf asks for the ends of the topic's partitions.
func endsOf(t *testing.T, ctx context.Context, c *kgo.Client) map[int32]int64 {
	t.Helper()
	listed, err := kadm.NewClient(c).ListEndOffsets(ctx, topic)
	if err != nil || listed.Error() != nil {
		t.Fatal(err, listed.Error())
	}
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends
}
