package storage

import (
	"context"
	"crypto/tls"
	"errors"

	"github.com/evertdb/evert/configs"
	"github.com/evertdb/evert/pipeline"
	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/schema/registry"
)

// What keeps us from the answer of a registry of others.
const (
	codeRegistryUnreachable pipeline.Code = "REGISTRY_UNREACHABLE"
	codeRegistryTLS         pipeline.Code = "REGISTRY_TLS"
	codeRegistryAuth        pipeline.Code = "REGISTRY_AUTH"
)

// OpenRegistry opens the registry that the file asks for: one of Confluent's
// protocol, or our own over a topic of the log, which is taken over only when
// something is registered.
func OpenRegistry(ctx context.Context, c *configs.Config, l log.Log, told registry.Events) (registry.Registry, error) {
	if c.Registry == nil {
		return registry.Open(ctx, &log.Store{Log: l, Topic: log.SchemasTopic(c.Name)})
	}
	client, err := DialRegistry(c.Registry, told)
	if err != nil {
		return nil, err
	}
	if !c.Registry.AutoRegister {
		return registry.Fixed{Registry: external{client}}, nil
	}
	return external{client}, nil
}

// DialRegistry makes a client whose secrets and certificates are read again for
// each request and connection (K28).
func DialRegistry(c *configs.Registry, told registry.Events) (*registry.Client, error) {
	url, err := c.URL.Reveal()
	if err != nil {
		return nil, err
	}
	config := registry.Config{URL: url, Events: told, Credentials: func() (registry.Credentials, error) { return credentialsOf(c) }}
	if _, err := config.Credentials(); err != nil {
		return nil, err
	}
	if first, err := clientTLS("registry.tls", c.TLS); err != nil {
		return nil, err
	} else if first != nil {
		config.TLS = func() (*tls.Config, error) { return clientTLS("registry.tls", c.TLS) }
	}
	return registry.NewClient(config)
}

func credentialsOf(c *configs.Registry) (registry.Credentials, error) {
	password, err := c.Password.Reveal()
	if err != nil {
		return registry.Credentials{}, err
	}
	token, err := c.Token.Reveal()
	return registry.Credentials{User: c.Username, Password: password, Token: token}, err
}

// external is a registry of others, whose troubles are refusals.
type external struct{ *registry.Client }

// Register implements registry.Registry.
func (e external) Register(ctx context.Context, subject, schema string) (int, error) {
	id, err := e.Client.Register(ctx, subject, schema)
	return id, OfRegistry(err)
}

// Lookup implements registry.Registry.
func (e external) Lookup(ctx context.Context, subject, schema string) (int, error) {
	id, err := e.Client.Lookup(ctx, subject, schema)
	return id, OfRegistry(err)
}

// Schema implements registry.Registry.
func (e external) Schema(ctx context.Context, id int) (string, error) {
	text, err := e.Client.Schema(ctx, id)
	return text, OfRegistry(err)
}

// Latest implements registry.Registry.
func (e external) Latest(ctx context.Context, subject string) (int, string, error) {
	id, text, err := e.Client.Latest(ctx, subject)
	return id, text, OfRegistry(err)
}

// Delete implements registry.Registry.
func (e external) Delete(ctx context.Context, subject string) error {
	return OfRegistry(e.Client.Delete(ctx, subject))
}

// OfRegistry makes a refusal of what keeps us from a registry's answer; of other
// errors nothing.
func OfRegistry(err error) error {
	t, ok := errors.AsType[*registry.Trouble](err)
	if !ok {
		return err
	}
	code := map[registry.TroubleKind]pipeline.Code{
		registry.Unreachable: codeRegistryUnreachable, registry.Untrusted: codeRegistryTLS, registry.Unknown: codeRegistryAuth,
	}[t.Kind]
	return &pipeline.Refusal{Code: code, Where: "registry " + t.Where, What: t.What, Err: t.Err, Mend: t.Mend}
}

// RegistryRefuses reports whether a code says that a registry cannot be reached
// or refuses us.
func RegistryRefuses(code pipeline.Code) bool {
	return code == codeRegistryUnreachable || code == codeRegistryTLS || code == codeRegistryAuth
}
