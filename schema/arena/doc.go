// Package arena holds the memory that rows lie in while they are read: their
// values, and the bytes that values refer to. It is handed out piece by piece and
// taken back all at once, so that a row costs no garbage.
//
//	Rows   [ v v v | v v v | v v v |          ]  rows, in blocks of values
//	           └──┐      └───┐
//	Bytes  [ …… text …… | … decimal … |       ]  bytes, in blocks
//
// What was handed out stays where it is until Reset, however much more is handed
// out. After it the same memory is handed out again: whoever keeps a row longer
// clones it.
package arena
