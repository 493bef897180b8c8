// Package preflight says of a Postgres server as a whole what keeps a source from
// starting there, what will hurt it later, and what mends each, in the words of
// whoever runs the server. It asks by connections that others see to, changes
// nothing, and knows neither tables nor positions.
//
//	server.go    what a server is and allows: refusals and warnings of each start
//	outlook.go   what a check looks at besides: old transactions, forgotten slots, …
//	platform.go  who runs the server, and how its settings are changed there
//	grants.go    the role that captures, and its rights
//	refused.go   why a connection was refused; tls.go why a server is not trusted
package preflight
