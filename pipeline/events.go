package pipeline

import "time"

// Events are told what a stage does, on the stage's own goroutine; they must
// not block. Any of them may be nil. Logs and metrics hang here: the loop
// itself does neither.
type Events struct {
	Opened    func(from Resume) // sink and source are open; reading goes on from here
	Writing   func(b Batch)     // a batch is about to go into the sink's hands
	Written   func(b Batch)     // a batch is in the sink's hands
	Committed func(c Committed) // a commit is durable and the source was told
	Waiting   func(pending int) // nothing to read; rows written and not yet committed
}

// Committed describes one commit.
type Committed struct {
	At    Resume
	Rows  int
	Bytes int
	Ends  int           // transaction ends in it; 0 for a part of a transaction
	Took  time.Duration // from the call of Commit to its return
	Time  time.Time     // the source's clock at At, zero if unknown
}
