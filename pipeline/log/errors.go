package log

import "errors"

var (
	// ErrFenced says that a newer writer with the same id exists. The holder
	// stops at once, without acknowledging anything (K05).
	ErrFenced = errors.New("fenced: another writer took over")
	// ErrClosed says that a log, writer, reader or membership was closed.
	ErrClosed = errors.New("closed")
	// ErrFull says that the log has no room; nothing of the call was kept, and
	// it may be repeated (O08).
	ErrFull = errors.New("no space left for the log")
	// ErrGap says that records a reader had to see are gone: it begins anew
	// from the start of the topic (K17).
	ErrGap = errors.New("records between the reader's place and the topic's start are gone")
	// ErrTooLarge says that a record is above its topic's limit (K03).
	ErrTooLarge = errors.New("record larger than its topic takes")
	// ErrNoTopic says that a topic or partition does not exist.
	ErrNoTopic = errors.New("no such topic or partition")
)
