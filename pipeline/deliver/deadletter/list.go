package deadletter

import (
	"cmp"
	"context"
	"slices"

	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/log"
)

// List gives the letters of a topic without their values, in the order of their
// places. A topic that is not there has none.
func List(ctx context.Context, l log.Log, topic string) ([]Letter, error) {
	letters := map[string]Letter{}
	if err := scan(ctx, l, topic, func(r *log.Record) error {
		if r.Value == nil {
			delete(letters, string(r.Key))
			return nil
		}
		letter, err := parse(r)
		letters[letter.ID] = letter
		return err
	}); err != nil {
		return nil, err
	}
	list := make([]Letter, 0, len(letters))
	for _, letter := range letters {
		list = append(list, letter)
	}
	slices.SortFunc(list, func(a, b Letter) int {
		return cmp.Or(cmp.Compare(a.Place.Topic, b.Place.Topic), cmp.Compare(a.Place.Partition, b.Place.Partition), cmp.Compare(a.Place.Offset, b.Place.Offset), cmp.Compare(a.ID, b.ID))
	})
	return list, nil
}

// Get gives the letter of a place with its value; ok is false if there is none.
func Get(ctx context.Context, l log.Log, topic string, p deliver.Place) (letter Letter, ok bool, err error) {
	err = scan(ctx, l, topic, func(r *log.Record) error {
		at, err := ParsePlace(string(r.Key))
		if err != nil || at != p {
			return err
		}
		if r.Value == nil {
			ok = ok && letter.ID != string(r.Key) // that of a topic of the same name is another letter
			return nil
		}
		ok = true
		c := clone(r)
		letter, err = parse(&c)
		letter.Value, letter.Headers = c.Value, c.Headers[:max(0, len(c.Headers)-ours)]
		return err
	})
	return letter, ok, err
}

func scan(ctx context.Context, l log.Log, topic string, fn func(*log.Record) error) error {
	infos, err := l.Admin().Topics(ctx, topic)
	if err != nil || len(infos) == 0 {
		return err
	}
	return log.Scan(ctx, l, log.TopicPartition{Topic: topic}, infos[0].Ends[0], fn)
}
