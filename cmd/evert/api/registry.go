package api

import (
	"errors"
	"net/http"

	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/schema/registry"
	"github.com/evertdb/evert/schema/registry/rest"
)

// Registry guards what serve.registry serves, as serve.http is guarded. Clients
// of registries know basic authentication too: any user, with the token for a
// password. A page of another site that a browser shows may change nothing.
func (h Handlers) Registry(schemas http.Handler) http.Handler {
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := r.Header.Get("Authorization")
		if _, password, ok := r.BasicAuth(); ok {
			header = "Bearer " + password
		}
		if err := h.allow(header); err != nil {
			refuseAsRegistry(w, err)
			return
		}
		schemas.ServeHTTP(w, r)
	})
	sameSite := http.NewCrossOriginProtection()
	sameSite.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		rest.Refuse(w, &registry.Error{Code: registry.CodeCrossSite, Message: "A page of another site asks"})
	}))
	return plain(h.boundedBy(h.ownHost(sameSite.Handler(guarded), refuseAsRegistry), refuseAsRegistry))
}

// refuseAsRegistry tells a refusal of ours by the registry's protocol.
func refuseAsRegistry(w http.ResponseWriter, err error) {
	var r *pipeline.Refusal
	if errors.As(err, &r) {
		switch r.Code {
		case CodeUnauthorized:
			err = &registry.Error{Code: registry.CodeUnauthorized, Message: "Unauthorized: send serve.token as bearer token, or as password of basic authentication"}
		case CodeForeignHost:
			err = &registry.Error{Code: registry.CodeCrossSite, Message: "The request names another host than this one: ask by address or as localhost, or set serve.token"}
		case CodeBusy:
			err = &registry.Error{Code: registry.CodeTooManyRequests, Message: "Too many requests are in progress: raise limits.requests, or ask less often"}
		}
	}
	rest.Refuse(w, err)
}
