package outlets

import (
	"strings"
	"time"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/deliver"
	"github.com/evertdb/evert/pipeline/deliver/event"
	"github.com/evertdb/evert/sinks/webhook"
)

func webhookConnector() Connector {
	return Connector{
		has:   func(s *configs.Sink) bool { return s.Webhook != nil },
		Shape: func(*configs.Sink) string { return "webhook" },
		Open:  func(p Place) (Outlet, error) { return webhookOutlet{p}, nil },
	}
}

// webhookOutlet is an HTTP endpoint that is told of changes.
type webhookOutlet struct{ Place }

// Target implements outlet.
func (o webhookOutlet) Target() (deliver.Target, error) {
	s := o.sink()
	w := s.Webhook
	tls, err := w.TLS.Build()
	if err != nil {
		return nil, err
	}
	return webhook.New(webhook.Config{
		Name: o.Name, Origins: o.origins(), URL: w.URL.Reveal, Secrets: w.Secrets, Headers: w.RevealHeaders, TLS: tls,
		Format: webhook.Format(w.Format), MaxRows: w.MaxRows, MaxBytes: int(w.MaxBytes), InFlight: w.InFlight, LinkLocal: w.LinkLocal,
		Timeout: w.Timeout, RetryMax: s.RetryMax, RetryFor: w.RetryFor, WaitMax: w.RetryAfterMax,
		Keeper: o.Keeper(), Rejects: o.Rejects, Waiting: o.waiting,
	}), nil
}

func (o webhookOutlet) waiting(why error, pause time.Duration) {
	o.Log.Warn("a request is sent again", "error", why, "in", pause.Round(time.Millisecond).String())
}

// origins say in each event where it comes from. The name of a view holds no dot.
func (p Place) origins() (all []event.Origin) {
	for i, from := range p.sink().From {
		source, _, table := strings.Cut(from, ".")
		if !table {
			source = ""
		}
		all = append(all, event.Origin{Topic: p.Topics[i], From: from, Source: source})
	}
	return all
}
