// Package api is how the daemon is asked and told: HTTP for machines, a control
// socket for the verbs of the command line.
//
//	serve.http    /healthz /readyz /metrics /v1/status            token, TLS
//	serve.health  /healthz /readyz /metrics                       open to probes: no data
//	evert.sock    all of these, /v1/topics/{topic}/records, /v1/control     mode 0600
//
// What the socket does beyond reading is not on HTTP: who may write into the
// data directory may command the daemon, nobody else.
//
// Every error is problem+json (RFC 9457) with the code and the mend of its
// refusal. Requests in progress are bounded by limits.requests (I9).
package api
