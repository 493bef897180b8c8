package outlets

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/sinks/opensearch"
)

func openSearchConnector() Connector {
	return Connector{
		has: func(s *configs.Sink) bool { return s.OpenSearch != nil },
		Shape: func(s *configs.Sink) string {
			o := s.OpenSearch
			return fmt.Sprintf("opensearch %s %q %q", o.Index, o.Mapping, o.Settings) // maps print in the order of their keys
		},
		Open: func(p Place) (Outlet, error) { return openSearchOutlet{p}, nil },
	}
}

// openSearchOutlet is an index of an OpenSearch or Elasticsearch cluster.
type openSearchOutlet struct{ Place }

// Target implements outlet.
func (o openSearchOutlet) Target() (deliver.Target, error) {
	options, err := o.options()
	if err != nil {
		return nil, err
	}
	return opensearch.New(options), nil
}

// Check implements checkable.
func (o openSearchOutlet) Check(ctx context.Context) ([]pipeline.Finding, error) {
	options, err := o.options()
	if err != nil {
		return nil, err
	}
	return opensearch.Check(ctx, options)
}

// Auditor implements auditable.
func (o openSearchOutlet) Auditor() (deliver.Auditor, error) {
	options, err := o.options()
	if err != nil {
		return nil, err
	}
	return opensearch.NewAuditor(options)
}

// options reads secrets and certificates, so that those that were replaced count.
func (o openSearchOutlet) options() (opensearch.Options, error) {
	s := o.sink().OpenSearch
	tls, err := s.TLS.Build()
	if err != nil {
		return opensearch.Options{}, err
	}
	url, err := s.URL.Reveal()
	if err != nil {
		return opensearch.Options{}, err
	}
	auth, err := openSearchAuth(s)
	if err != nil {
		return opensearch.Options{}, err
	}
	mapping := map[string]json.RawMessage{}
	for column, text := range s.Mapping {
		mapping[column] = json.RawMessage(text)
	}
	return opensearch.Options{
		URL: url, TLS: tls, Auth: auth, Index: s.Index, Owner: o.Config.Name + "/" + o.Name, Topic: o.Topics[0],
		Mapping: mapping, Settings: s.Settings,
		Requests: s.Requests, BulkBytes: int(s.BulkBytes), BulkRows: s.BulkRows, Gzip: s.Gzip, Refresh: s.Refresh,
		Timeout: s.Timeout, Patience: s.RetryFor, GCDeletes: s.GCDeletes, OnMissing: s.OnMissing, Rejects: o.Rejects, Waiting: o.waiting,
	}, nil
}

func (o openSearchOutlet) waiting(why error, pause time.Duration) {
	o.Log.Warn("documents are sent again", "error", why, "in", pause.Round(time.Millisecond).String())
}

// openSearchAuth gives the way of authentication that is set; nil if none is.
func openSearchAuth(s *configs.OpenSearch) (opensearch.Auth, error) {
	var err error
	reveal := func(secret configs.Secret) string {
		text, failed := secret.Reveal()
		if failed != nil {
			err = failed
		}
		return text
	}
	var auth opensearch.Auth
	switch {
	case s.AWS != nil:
		auth = opensearch.SigV4{
			AccessKey: reveal(s.AWS.AccessKey), SecretKey: reveal(s.AWS.SecretKey), SessionToken: reveal(s.AWS.SessionToken),
			Region: s.AWS.Region, Service: s.AWS.Service,
		}
	case !s.APIKey.IsZero():
		auth = opensearch.APIKey(reveal(s.APIKey))
	case !s.Token.IsZero():
		auth = opensearch.Bearer(reveal(s.Token))
	case s.Username != "" || !s.Password.IsZero():
		auth = opensearch.Basic{Username: s.Username, Password: reveal(s.Password)}
	}
	return auth, err
}
