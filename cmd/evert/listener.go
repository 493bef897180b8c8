package main

import (
	"context"
	"net/http"

	"github.com/evertdb/evert/cmd/evert/api"
	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline/log/embedded"
	"github.com/evertdb/evert/pipeline/log/embedded/listener"
	"github.com/evertdb/evert/schema/registry"
	"github.com/evertdb/evert/schema/registry/rest"
)

// A server listens somewhere until it is stopped: answers on their way go out
// until ctx ends.
type server interface{ Stop(ctx context.Context) }

// listenRegistry serves the embedded registry. Another one, if it is in use, has
// a door of its own; the file's warnings say so.
func (d *daemon) listenRegistry(ctx context.Context, faces api.Handlers) error {
	schemas, ok := d.registry.(*registry.Local)
	if !ok {
		return nil
	}
	d.schemas.Holds(schemas.Size)
	return d.listenOn(ctx, "registry", d.config.Serve.Registry, observed(faces.Registry(routed(rest.Handler(schemas))), d.schemas.Served), d.config.Serve.TLS)
}

// routeKey is under which a request carries a string for the route that it came
// to: who passes a request on may do so with a copy of it.
type routeKey struct{}

// observed tells of each request's route, "" if none was reached, and the status
// of its answer. routed has to stand before the routes.
func observed(next http.Handler, served func(route string, status int)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, route := &counting{ResponseWriter: w, status: http.StatusOK}, ""
		next.ServeHTTP(c, r.WithContext(context.WithValue(r.Context(), routeKey{}, &route)))
		served(route, c.status)
	})
}

// routed notes the route that a request came to, for observed.
func routed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if route, ok := r.Context().Value(routeKey{}).(*string); ok {
			*route = r.Pattern
		}
	})
}

// counting notes the status of an answer.
type counting struct {
	http.ResponseWriter
	status int
}

func (c *counting) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (c *counting) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// listenKafka serves the embedded log to Kafka clients. On a cluster, clients
// read from that; the file's warnings say so.
func (d *daemon) listenKafka(ctx context.Context) error {
	at := &d.config.Serve
	topics, ok := d.topics.Log.(*embedded.Log)
	if !ok || at.Kafka == "" || at.Kafka == configs.Off {
		return nil
	}
	l, err := api.Listen(ctx, "kafka", at.Kafka, d.flags.patience)
	if err != nil {
		return err
	}
	scheme := "kafka://"
	if at.TLS != nil {
		if l, err = api.TLS(l, at.TLS.Cert, at.TLS.Key); err != nil {
			return err
		}
		scheme = "kafka+ssl://"
	}
	config := listener.Config{Log: topics, Cluster: d.config.Name, Advertised: at.KafkaAdvertised, Token: at.Token.Reveal, Limits: kafkaLimits(&d.config.Limits)}
	config.Events.Refused = func(client, why string) {
		d.log.Warn("serve.kafka did not answer as a client wished", "client", client, "why", why)
	}
	if d.kafka, err = listener.Serve(l, config); err != nil {
		return err
	}
	d.listen = append(d.listen, api.Address{Name: "kafka", Address: scheme + l.Addr().String()})
	d.servers = append(d.servers, d.kafka)
	return nil
}

func kafkaLimits(l *configs.Limits) listener.Limits {
	return listener.Limits{Connections: l.KafkaConnections, RequestBytes: int(l.KafkaRequestBytes),
		Fetches: l.KafkaFetches, FetchBytes: int(l.KafkaFetchBytes), Send: l.KafkaSendTimeout}
}

// kafkaStats says what serve.kafka served; ok is false if it is off.
func (d *daemon) kafkaStats() (st listener.Stats, ok bool) {
	if d.kafka == nil {
		return st, false
	}
	return d.kafka.Stats(), true
}
