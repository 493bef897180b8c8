package api

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/evertdb/evert/cmd/evert/monitor"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/view/query"
)

// A Daemon is what answers. Its methods may be called from any goroutine.
type Daemon interface {
	// Status says how everything is now. It waits for nobody.
	Status(ctx context.Context) Status
	// Records emits a topic's records as JSON lines, until the end that it has
	// now or until ctx ends. name is a topic or a table.
	Records(ctx context.Context, name string, untilEnd bool, emit func(line []byte) error) error
	// Verify compares a table or a view with its database, row by row; tell hears
	// what is done.
	Verify(ctx context.Context, req VerifyRequest, tell func(VerifyProgress)) (*Verified, error)
	// Reset says what a reset touches, and does it if r says so.
	Reset(ctx context.Context, r Reset) (Plan, error)
}

// Handlers make the three faces of a daemon.
type Handlers struct {
	Daemon   Daemon
	Metrics  http.Handler
	Token    func() (string, error) // the bearer token; nil or empty: none is asked for
	Requests int                    // in progress at one time
	AnyHost  bool                   // a proxy stands before serve.http, and passes any name on

	Views   Views         // nil: there are none
	Reads   *query.Reader // reads them; nil if Views is
	Indexes Indexes       // nil: there are none; with them Reads is there too
	Streams int           // of changes open at one time, on each face

	Commands SinkCommands // to sinks; nil: there are none
	Tables   TableCommands
	Sources  SourceCommands

	streams chan struct{} // places for streams
}

// Health is what serve.health serves: nothing that needs a token.
func (h Handlers) Health() http.Handler { return plain(h.bounded(h.mux(onHealth))) }

// HTTP is what serve.http serves.
func (h Handlers) HTTP() http.Handler {
	return plain(h.bounded(h.ownHost(h.authorized(h.mux(onHTTP)), WriteProblem)))
}

// Socket is what the control socket serves.
func (h Handlers) Socket() http.Handler { return plain(h.mux(onSocket)) }

func noSuchPath(w http.ResponseWriter, r *http.Request) {
	WriteProblem(w, &pipeline.Refusal{Code: CodeNoSuchPath, What: "nothing is served under this path", Mend: "GET /v1/status"})
}

// healthz says that the process answers; how it is, it says beside.
func (h Handlers) healthz(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "alive", "health": string(h.Daemon.Status(r.Context()).Light)})
}

// readyz is 200 while something of what is served is readable; 503 when nothing
// is, with ?strict=1 when anything is not well, or when the ?source= or ?view= is not.
func (h Handlers) readyz(w http.ResponseWriter, r *http.Request) {
	st := h.Daemon.Status(r.Context())
	health := st.Health
	if name := r.URL.Query().Get("source"); name != "" {
		of, ok := only(st.Sources, name)
		if !ok {
			WriteProblem(w, noSource(name))
			return
		}
		health = monitor.Judge(of)
	}
	if name := r.URL.Query().Get("view"); name != "" {
		i := slices.IndexFunc(st.Views, func(v monitor.ViewStatus) bool { return v.Name == name })
		if i < 0 {
			WriteProblem(w, &pipeline.Refusal{Code: CodeNoSuchView, What: "there is no view " + strconv.Quote(name), Mend: "GET /v1/views"})
			return
		}
		health = monitor.Health{Light: monitor.OK, Reasons: []monitor.Reason{}}
		health.JudgeViews(st.Views[i : i+1])
	}
	strict, _ := strconv.ParseBool(r.URL.Query().Get("strict"))
	code := http.StatusOK
	if !health.Ready || strict && health.Light != monitor.OK {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, health)
}

func only(all []monitor.SourceStatus, name string) ([]monitor.SourceStatus, bool) {
	for i := range all {
		if all[i].Name == name {
			return all[i : i+1], true
		}
	}
	return nil, false
}

func noSource(name string) error {
	return &pipeline.Refusal{Code: CodeNoSuchSource, What: "there is no source " + strconv.Quote(name), Mend: "evert status"}
}

func (h Handlers) status(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, h.Daemon.Status(r.Context()))
}

// errorTrailer carries an error that came after the first record.
const errorTrailer = "Evert-Error"

func (h Handlers) records(w http.ResponseWriter, r *http.Request) {
	untilEnd, _ := strconv.ParseBool(r.URL.Query().Get("until_end"))
	out := http.NewResponseController(w)
	began := false
	begin := func() {
		if !began {
			began = true
			w.Header().Set("Trailer", errorTrailer)
			w.Header().Set("Content-Type", "application/x-ndjson")
			w.WriteHeader(http.StatusOK)
		}
	}
	err := h.Daemon.Records(r.Context(), r.PathValue("topic"), untilEnd, func(line []byte) error {
		begin()
		if line == nil {
			return out.Flush()
		}
		_, err := w.Write(line)
		return err
	})
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		begin()
	case !began:
		WriteProblem(w, err)
	default:
		text, _ := json.Marshal(problemOf(err))
		w.Header().Set(errorTrailer, string(text))
	}
}

func (h Handlers) control(w http.ResponseWriter, r *http.Request) {
	var reset Reset
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(&reset); err != nil {
		WriteProblem(w, &pipeline.Refusal{Code: CodeBadRequest, What: "the command cannot be read", Err: err, Mend: "use the `evert` of the same version as the daemon"})
		return
	}
	plan, err := h.Daemon.Reset(r.Context(), reset)
	if err != nil {
		WriteProblem(w, err)
		return
	}
	writeJSON(w, http.StatusOK, plan)
}

// authorized asks for the bearer token, which is compared in constant time.
func (h Handlers) authorized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h.allow(r.Header.Get("Authorization")); err != nil {
			WriteProblem(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// allow looks at an Authorization header.
func (h Handlers) allow(header string) error {
	if h.Token == nil {
		return nil
	}
	want, err := h.Token()
	if err != nil {
		return err
	}
	got, want256 := sha256.Sum256([]byte(header)), sha256.Sum256([]byte("Bearer "+want))
	if want != "" && subtle.ConstantTimeCompare(got[:], want256[:]) != 1 {
		return &pipeline.Refusal{Code: CodeUnauthorized, What: "the request carries no token, or another one", Mend: "send the header `Authorization: Bearer TOKEN` with serve.token"}
	}
	return nil
}

// bounded answers 503 to requests beyond the bound (I9).
func (h Handlers) bounded(next http.Handler) http.Handler { return h.boundedBy(next, WriteProblem) }

// boundedBy writes the refusal in the way of the protocol that is served.
func (h Handlers) boundedBy(next http.Handler, refuse func(http.ResponseWriter, error)) http.Handler {
	if h.Requests <= 0 {
		return next
	}
	places := make(chan struct{}, h.Requests)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			leave := sync.OnceFunc(func() { <-places })
			defer leave()
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), placeKey{}, leave)))
		default:
			refuse(w, &pipeline.Refusal{Code: CodeBusy, What: "too many requests are in progress", Mend: "raise limits.requests, or ask less often"})
		}
	})
}

// placeKey is where a request's context has what gives its place back.
type placeKey struct{}

// leavePlace gives the place of a request back before it ends: it has become a
// stream, and these have places of their own.
func leavePlace(ctx context.Context) {
	if leave, ok := ctx.Value(placeKey{}).(func()); ok {
		leave()
	}
}
