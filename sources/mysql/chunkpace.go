package mysql

import (
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/evertdb/evert/pipeline/handover"
)

// A chunkPace holds the readers of chunks to a rate together. What a chunk will have is
// booked before it is read, as much as the one before had, and put right when it is here: no
// reader begins while there are bytes that have not had their time yet, so that one chunk is
// ahead of the rate, whatever the number of readers.
//
//	booked ──► chunk 1 ├───────┤ chunk 2 ├───────┤
//	clock  ─────────────────────▲ may begin       ▲ chunk 3 may
//
// Owned by the owner of the stream.
type chunkPace struct {
	rate  handover.Pace
	now   func() time.Time
	timer *time.Timer // rings when the next chunk may be read
}

func newChunkPace(rate int64) chunkPace {
	return chunkPace{rate: handover.Pace{Rate: rate}, now: time.Now}
}

// book takes the time of a chunk, and gives the bytes that it stands for: those of the one
// before, or the most.
func (p *chunkPace) book(typical, most int) int {
	if typical == 0 {
		typical = most
	}
	p.rate.Take(typical, p.now())
	return typical
}

// came puts right what was booked for a chunk.
func (p *chunkPace) came(k *chunk) { p.rate.Take(k.bytes-k.booked, p.now()) }

// mayPass reports whether the next chunk of a table keeps to the rate. Else the bell rings
// when it does.
func (c *copies) mayPass(t *copying) bool {
	if !t.readsRows() {
		return true
	}
	wait := c.pace.rate.Take(0, c.pace.now())
	if wait <= 0 {
		return true
	}
	if c.pace.timer == nil {
		c.pace.timer = time.AfterFunc(wait, c.bell.ring)
	} else {
		c.pace.timer.Reset(wait)
	}
	return false
}

// sizeOf is about what a row takes on its way from the server.
func sizeOf(fields []mysql.FieldValue) int {
	n := 8 * len(fields)
	for i := range fields {
		if fields[i].Type == mysql.FieldValueTypeString {
			n += len(fields[i].AsString())
		}
	}
	return n
}
