// Package window merges the rows of chunks of a table, read beside its stream, into the
// stream (P12). Whether a streamed transaction is in a chunk is a question of
// visibility and not of LSNs: a commit that waits for a synchronous standby is in
// the stream, and no snapshot shows it yet.
//
//	stream    T1      T2 open T3            T4 T5    place  T6
//	window             ├──────────────────────────────┤
//	chunk                     snapshot, rows, place            the place is taken behind the read
//
// The rows come out where the stream has passed the place, so that every
// transaction in the snapshot is before them. T3 to T5 beat the rows of their keys
// if the snapshot does not show them, and lose to them if it does. T1 and T2 were
// not kept by key: if the snapshot hides one of those, the chunk is read again.
//
// There is no input or output here, and no time.
package window
