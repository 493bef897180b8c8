// Package program makes random programs for the oracle: tables, a view over
// them, and transactions. Everything follows from a seed.
//
// What it makes lies inside what views support, and inside what has one answer:
// every collecting aggregate is ordered to the end, text is ordered in C, floats
// are sums of small binary fractions so that their order does not matter. One program
// in four is risky: its query has one expression that fails on some rows, and at last
// a transaction takes these away.
package program
