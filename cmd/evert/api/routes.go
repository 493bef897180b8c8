package api

import "net/http"

// A face is one of the ways to ask the daemon; a route is served on some.
type face uint8

const (
	onHealth face = 1 << iota // serve.health: whoever reaches it
	onHTTP                    // serve.http: whoever has the token, if there is one
	onSocket                  // evert.sock: whoever may write into the data directory
)

// A route is one endpoint. On serve.health nothing may hold data; what changes
// something is on the socket alone.
type route struct {
	pattern string // as http.ServeMux writes it
	faces   face
	serve   http.HandlerFunc
}

// routes are all endpoints. A test asks each of them on each face, and knows who
// may: a new one needs a line there.
func (h Handlers) routes() []route {
	return []route{
		{"GET /healthz", onHealth | onHTTP | onSocket, h.healthz},
		{"GET /readyz", onHealth | onHTTP | onSocket, h.readyz},
		{"GET /metrics", onHealth | onHTTP | onSocket, h.Metrics.ServeHTTP},
		{"GET /v1/status", onHTTP | onSocket, h.status},
		{"GET /v1/views", onHTTP | onSocket, h.views},
		{"GET /v1/views/{view}", onHTTP | onSocket, h.view},
		{"GET /v1/views/{view}/plan", onHTTP | onSocket, h.plan},
		{"GET /v1/views/{view}/rows", onHTTP | onSocket, h.rows},
		{"GET /v1/views/{view}/rows/{key...}", onHTTP | onSocket, h.row},
		{"GET /v1/views/{view}/changes", onHTTP | onSocket, h.changes},
		{"GET /v1/indexes", onHTTP | onSocket, h.indexes},
		{"GET /v1/indexes/{sink}", onHTTP | onSocket, h.index},
		{"GET /v1/indexes/{sink}/search", onHTTP | onSocket, h.search},
		{"GET /v1/topics/{topic}/records", onSocket, h.records},
		{"GET /v1/dead-letters/{name}", onSocket, h.deadLetters},
		{"POST /v1/sinks/{sink}/control", onSocket, h.sinkCommand},
		{"POST /v1/sinks/{sink}/replay", onSocket, h.replay},
		{"POST /v1/tables/{table}/control", onSocket, h.tableCommand},
		{"POST /v1/sources/{source}/drain", onSocket, h.drain},
		{"POST /v1/control", onSocket, h.control},
		{"POST /v1/verify", onSocket, h.verify},
	}
}

// mux serves the routes of one face.
func (h Handlers) mux(f face) http.Handler {
	h.streams = make(chan struct{}, h.Streams)
	mux := http.NewServeMux()
	for _, r := range h.routes() {
		if r.faces&f != 0 {
			mux.HandleFunc(r.pattern, r.serve)
		}
	}
	mux.HandleFunc("/", noSuchPath)
	if f == onHealth {
		return mux
	}
	return h.emptySegments(mux)
}
