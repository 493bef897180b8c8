// Package syntax reads the SQL of views: the part of Postgres's grammar that a
// view may use, by a lexer and a Pratt parser of our own.
//
//	text ──► lexer ──► tokens ──► Parser ──► Query ──► String: canonical text
//
// Whatever Parse accepts, Postgres accepts with the same structure; the tests
// hold every accepted text against Postgres's own parser. What it does not
// accept is one of two things. A text that Postgres would not read either has
// the code SQL_SYNTAX and ends the parsing. A construct that Postgres has and
// views do not is named with the text to write instead, SQL_UNSUPPORTED, and
// where its end is known parsing goes on, so that one check tells them all.
//
// # Positions
//
// Every node knows the byte offset at which it begins. Place turns an offset
// into line and column; columns count characters, from 1.
//
// # Canonical text
//
// Query.String prints a query with Postgres's keywords in upper case, names
// quoted where Postgres needs it, and no more brackets than the precedence of
// operators asks for. Two texts that differ in layout, comments, the case of
// keywords or redundant brackets have the same canonical text, and parsing it
// gives it again.
//
// # Precedence
//
// From the loosest to the tightest, as in Postgres since 9.5:
//
//	OR · AND · NOT · IS · < > = <= >= <> · BETWEEN IN LIKE ILIKE · other operators
//	· + - · * / % · ^ · AT TIME ZONE · COLLATE · unary minus · ::
//
// Comparisons, and BETWEEN, IN and LIKE among themselves, do not associate.
package syntax
