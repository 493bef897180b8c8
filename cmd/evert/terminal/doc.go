// Package terminal shows things to people: quantities, tables, and a part of
// the screen that is drawn again and again.
//
// Everything takes an io.Writer. What is drawn on a terminal is written as
// plain lines elsewhere; NO_COLOR and TERM=dumb are honoured.
package terminal
