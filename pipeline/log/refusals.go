package log

import "github.com/evertdb/evert/pipeline"

// The refusals of Admin.Ensure, the same over every log. A log does not know its
// sources: where a mend says SOURCE, who runs a source writes its name.
const (
	// RefuseMissing: a topic whose identity is known does not exist any more;
	// it is never made anew by itself (K13).
	RefuseMissing pipeline.Code = "TOPIC_MISSING"
	// RefuseReplaced: another topic lies under the name (K13).
	RefuseReplaced pipeline.Code = "TOPIC_RECREATED"
	// RefusePartitions: the number of partitions differs, so keys would move
	// (K14).
	RefusePartitions pipeline.Code = "TOPIC_PARTITIONS"
	// RefusePolicy: compacted where deletion by age is wanted, or the reverse
	// (K15, K18).
	RefusePolicy pipeline.Code = "TOPIC_POLICY"
	// RefuseSettings: a retention, lag or record size below what is wanted
	// (K15, K17).
	RefuseSettings pipeline.Code = "TOPIC_SETTINGS"
	// RefuseSpec: the wanted topic cannot be: its name or a number in it.
	RefuseSpec pipeline.Code = "TOPIC_INVALID"
	// RefuseOwned: another source or deployment writes the topic.
	RefuseOwned pipeline.Code = "TOPIC_OWNED"
	// RefuseForeign: the topic holds records, and no owner is recorded.
	RefuseForeign pipeline.Code = "TOPIC_FOREIGN"
)
