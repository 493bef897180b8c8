package configs

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// warn notes what is logged at each start.
func (c *Config) warn(format string, args ...any) {
	c.warnings = append(c.warnings, fmt.Sprintf(format, args...))
}

// complete fills in defaults that depend on names and on other keys.
func (d *decoder) complete(c *Config) {
	for name, s := range c.Sources {
		if s.TopicPrefix == "" {
			s.TopicPrefix = name
		}
		if p := s.Postgres; p != nil {
			p.Slot = cmp.Or(p.Slot, SlotName(c.Name, name))
			p.Publication = cmp.Or(p.Publication, SlotName(c.Name, name))
		}
	}
	if k := c.Kafka; k != nil && k.TLS == nil {
		k.TLS = &TLS{Mode: TLSVerifyFull}
		if k.local() {
			k.TLS.Mode = TLSDisable
		}
	}
}

// check looks at what no single key shows.
func (d *decoder) check(c *Config) {
	for _, name := range sortedKeys(c.Sources) {
		d.checkSource(c, name, c.Sources[name])
	}
	d.checkSlots(c)
	d.checkPrefixes(c)
	if c.Kafka != nil {
		d.checkKafka(c)
	}
	if c.Registry != nil {
		d.checkRegistry(c)
	}
	for name, v := range c.Views {
		v.text = d.texts[strings.Join([]string{"views", name, "sql"}, "\x00")]
		v.key = d.at("views", name, "key")
	}
	for _, name := range sortedKeys(c.Sinks) {
		d.checkSink(c, name, c.Sinks[name])
	}
	d.checkPlaces(c)
	d.checkServe(c)
	d.checkLimits(c)
}

func (d *decoder) checkSource(c *Config, name string, s *Source) {
	at := d.at("sources", name)
	path := "sources." + name
	switch {
	case s.Postgres == nil && s.MySQL == nil:
		if !d.wrote("sources", name, "postgres") && !d.wrote("sources", name, "mysql") {
			d.add(at, missingKey, path+" names no database", "add postgres: or mysql: with url and tables")
		}
	case s.Postgres != nil && s.MySQL != nil:
		d.add(at, conflict, path+" has both postgres and mysql", "make them two sources")
	}
	if p := s.Postgres; p != nil {
		d.checkURL(c, p.URL, p.Connect, p.Insecure, "sources", name, "postgres")
		d.checkOverrides(s, name, p.Tables, p.ExcludeTables)
		d.checkURL(c, p.Snapshot.URL, p.ConnectSnapshot, false, "sources", name, "postgres", "snapshot")
		d.checkSnapshot(name, "postgres", p.Tables, p.ExcludeTables, p.Snapshot.Order, p.Snapshot.Where)
	}
	if m := s.MySQL; m != nil {
		d.checkURL(c, m.URL, m.Connect, m.Insecure, "sources", name, "mysql")
		d.checkOverrides(s, name, m.Tables, m.ExcludeTables)
		d.checkSnapshot(name, "mysql", m.Tables, m.ExcludeTables, m.Snapshot.Order, m.Snapshot.Where)
	}
	d.checkTransforms(c, s.Transforms, "sources", name, "transforms")
	if strings.HasPrefix(s.TopicPrefix, "__evert") {
		d.add(d.at("sources", name, "topic_prefix"), collision, path+".topic_prefix is reserved for internal topics", "choose another")
	}
	for _, p := range sortedOverrides(s) {
		d.checkTopicConfig(s.Overrides[p].Topic.Config, "sources", name, "overrides", d.spelling(name, p), "topic", "config")
		d.checkAppendOnly(c, name, s, p)
		for _, column := range sortedKeys(s.Overrides[p].Columns) {
			at := []string{"sources", name, "overrides", d.spelling(name, p), "columns", column}
			d.checkColumn(d.at(at...), strings.Join(at, "."), s.Overrides[p].Columns[column])
		}
	}
}

func (d *decoder) wrote(path ...string) bool {
	_, ok := d.seen[strings.Join(path, "\x00")]
	return ok
}

// checkURL tries what Connect will do, and words its errors (X01, X14).
func (d *decoder) checkURL(c *Config, raw Secret, connect func() (*DatabaseURL, error), insecure bool, path ...string) {
	if raw.IsZero() {
		return // reported where it was read
	}
	name := strings.Join(path, ".")
	at := d.at(append(path, "url")...)
	u, err := connect()
	var weak *weakTLS
	var fault *urlFault
	switch {
	case errors.As(err, &weak):
		d.add(at, insecureTLS, name+".url: "+weak.Error(), "write "+weak.param+"=verify-full, or insecure: true beside url")
	case errors.As(err, &fault):
		d.add(at, badURL, name+".url: "+fault.what, fault.mend)
	case err != nil:
		d.add(at, secretFile, name+".url: "+err.Error(), "make the file readable for the user that runs evert")
	case u.Weak():
		c.warn("%s.url: the connection is not verified fully (%s=%s); write %[2]s=verify-full and remove insecure", name, u.modeParam(), u.Mode)
	case insecure:
		c.warn("%s.insecure has no effect, since the connection is verified fully or stays on this machine; remove it", name)
	}
}

func sortedOverrides(s *Source) []TablePattern {
	out := make([]TablePattern, 0, len(s.Overrides))
	for p := range s.Overrides {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b TablePattern) int { return strings.Compare(a.String(), b.String()) })
	return out
}

// checkOverrides finds overrides of single tables that are not captured.
func (d *decoder) checkOverrides(s *Source, name string, tables, exclude []TablePattern) {
	for _, p := range sortedOverrides(s) {
		schema, table, ok := p.Exact()
		if !ok || len(tables) == 0 || Captures(tables, exclude, schema, table) {
			continue
		}
		at, o := d.at("sources", name, "overrides", d.spelling(name, p)), s.Overrides[p]
		switch {
		case !s.sends(schema, table):
			d.add(at, unusedOverride, "the table of this override is not captured by sources."+name, "add it to tables, or mend its name")
		case len(o.Columns) > 0 || len(o.Key) > 0: // they would hide nothing (X12)
			d.add(at, unusedOverride, "rows come to this table by a step of transforms: its columns and key are those of the tables that they come from",
				"write columns and key below the table as the source calls it; or as steps mask and rekey")
		}
	}
}

// checkSnapshot finds names of single tables that are not captured: nothing would be
// chosen of them, or copied first.
func (d *decoder) checkSnapshot(name, kind string, tables, exclude, order []TablePattern, where map[TablePattern]Text) {
	for _, of := range order {
		d.checkUsed(name, tables, exclude, of, "sources", name, kind, "snapshot", "order")
	}
	for of := range where {
		d.checkUsed(name, tables, exclude, of, "sources", name, kind, "snapshot", "where", d.spelled["sources."+name+"."+kind+".snapshot.where."+of.String()])
	}
}

// checkUsed finds the name of a single table, at a path, that is not captured.
func (d *decoder) checkUsed(source string, tables, exclude []TablePattern, of TablePattern, path ...string) {
	schema, table, ok := of.Exact()
	if ok && len(tables) > 0 && !Captures(tables, exclude, schema, table) {
		d.add(d.at(path...), unusedOverride, of.String()+" is not captured by sources."+source, "add it to tables, or mend its name")
	}
}

// spelling gives the key under which an override stands in the file.
func (d *decoder) spelling(source string, p TablePattern) string {
	return d.spelled["sources."+source+".overrides."+p.String()]
}

// checkSlots finds sources that would share a replication slot. Two with slots
// of their own choice may, on different servers.
func (d *decoder) checkSlots(c *Config) {
	held := map[string]string{}
	for _, name := range sortedKeys(c.Sources) {
		p := c.Sources[name].Postgres
		if p == nil {
			continue
		}
		other, ok := held[p.Slot]
		held[p.Slot] = name
		if !ok || d.wrote("sources", name, "postgres", "slot") && d.wrote("sources", other, "postgres", "slot") && !sameServer(p, c.Sources[other].Postgres) {
			continue
		}
		d.add(d.at("sources", name, "postgres", "slot"), collision,
			fmt.Sprintf("sources.%s and sources.%s would use the same slot %s", other, name, p.Slot), "name another with slot: below postgres")
	}
}

func sameServer(a, b *Postgres) bool {
	ua, err := a.Connect()
	if err != nil {
		return true
	}
	ub, err := b.Connect()
	return err != nil || slices.ContainsFunc(ua.Hosts, func(h string) bool { return slices.Contains(ub.Hosts, h) })
}

func (d *decoder) checkPrefixes(c *Config) {
	held := map[string]string{}
	for _, name := range sortedKeys(c.Sources) {
		prefix := c.Sources[name].TopicPrefix
		if other, ok := held[prefix]; ok {
			d.add(d.at("sources", name, "topic_prefix"), collision,
				fmt.Sprintf("sources.%s and sources.%s would write the same topics", other, name), "name another topic_prefix")
		}
		held[prefix] = name
	}
}

func (k *Kafka) local() bool {
	return len(k.Brokers) > 0 && !slices.ContainsFunc(k.Brokers, func(b string) bool { return !addressIsLoopback(b) })
}

func (d *decoder) checkKafka(c *Config) {
	k := c.Kafka
	if len(k.Brokers) > 0 {
		d.checkTLS(c, k.TLS, k.local(), k.Insecure, "kafka")
	}
	if k.SASL != nil {
		d.checkSASL(c, k)
	}
	d.checkTopicConfig(k.Topics.Config, "kafka", "topics", "config")
}

// checkTLS refuses weak modes to other machines (X01), and half a key pair.
func (d *decoder) checkTLS(c *Config, t *TLS, local, insecure bool, section string) {
	at := d.at(section, "tls")
	if (t.Cert == "") != (t.Key == "") {
		d.add(at, conflict, section+".tls has one of cert and key", "give both, or neither")
	}
	if t.Mode == TLSDisable && (t.CA != "" || t.Cert != "" || t.ServerName != "") {
		d.add(at, conflict, section+".tls has mode: disable and names certificates", "remove mode, or everything else")
	}
	switch weak := t.Mode != TLSVerifyFull && t.Mode != "" && !local; {
	case weak && !insecure:
		d.add(d.at(section, "tls", "mode"), insecureTLS, fmt.Sprintf("%s.tls: mode %s does not verify the server fully, and it is not on this machine", section, t.Mode), "write mode: verify-full, or insecure: true below "+section)
	case weak:
		c.warn("%s: the connection is not verified fully (tls.mode: %s); write verify-full and remove insecure", section, t.Mode)
	case insecure && section == "kafka":
		c.warn("%s.insecure has no effect, since the connection is verified fully or stays on this machine; remove it", section)
	}
}

// checkTopicConfig refuses settings on which the promises rest.
func (d *decoder) checkTopicConfig(config map[string]string, path ...string) {
	for _, key := range sortedKeys(config) {
		mend := ""
		switch key {
		case "cleanup.policy":
			mend = "remove it; an append-only topic is made with topic: {cleanup: delete} in an override"
		case "message.timestamp.type":
			mend = "remove it; sound cuts rest on LogAppendTime"
		case "max.message.bytes":
			mend = "remove it; limits.record_bytes says how large a record may be"
		default:
			continue
		}
		d.add(d.at(append(slices.Clone(path), key)...), forbiddenSetting, "the topic setting "+key+" belongs to Evert", mend)
	}
}

func (d *decoder) checkRegistry(c *Config) {
	r := c.Registry
	secret := r.Password
	if !r.Token.IsZero() {
		secret = r.Token
		if r.Username != "" || !r.Password.IsZero() {
			d.add(d.at("registry", "token"), conflict, "registry has both token and a user or password", "keep the one that the registry asks for")
		}
	}
	d.checkWeb(c, r.URL, secret, r.TLS, r.Insecure, "registry")
	if c.Serve.Registry != Off {
		c.warn("serve.registry has no effect, since the section registry names another registry; remove one of them")
	}
}

// checkWeb checks the address of an HTTP service that we call.
func (d *decoder) checkWeb(c *Config, raw, password Secret, tls *TLS, insecure bool, path ...string) {
	if raw.IsZero() {
		return // reported where it was read
	}
	name, at := strings.Join(path, "."), d.at(append(path, "url")...)
	text, err := raw.Reveal()
	if err != nil {
		return // reported where it was read
	}
	u, err := webURL(text)
	var fault *urlFault
	if errors.As(err, &fault) {
		d.add(at, badURL, name+".url: "+fault.what, fault.mend)
		return
	}
	local := isLoopback(u.Hostname())
	switch plain := u.Scheme == "http"; {
	case plain && tls != nil:
		d.add(at, conflict, name+" has tls, and its url begins with http://", "write https://, or remove tls")
	case plain && !local && !password.IsZero() && !insecure:
		d.add(at, insecureTLS, name+".url: a password would be sent in plaintext to another machine", "write https://, or insecure: true below "+name)
	case plain && !local:
		c.warn("%s.url: the connection is plaintext, and not to this machine; write https://", name)
	case tls != nil:
		d.checkTLS(c, tls, local, insecure, name)
	}
}

// checkServe keeps data from being served to other machines unguarded.
func (d *decoder) checkServe(c *Config) {
	s := &c.Serve
	guarded := s.BehindProxy || !s.Token.IsZero() && s.TLS != nil
	for _, l := range []struct{ key, address string }{{"http", s.HTTP}, {"registry", s.Registry}, {"kafka", s.Kafka}} {
		if l.address != Off && isListen(l.address) && !addressIsLoopback(l.address) && !guarded {
			d.add(d.at("serve", l.key), openListener, "serve."+l.key+" can be reached from other machines and is not guarded", "add serve.token and serve.tls, or serve.behind_proxy: true; or listen on 127.0.0.1")
		}
	}
	if c.Kafka != nil && s.Kafka != Off {
		c.warn("serve.kafka has no effect, since the log is not embedded but on the cluster of the section kafka; remove one of them")
	}
	if s.KafkaAdvertised != "" && s.Kafka == Off {
		c.warn("serve.kafka_advertised has no effect, since serve.kafka is none; remove it, or name an address to listen on")
	}
	d.checkPorts(s)
}

func (d *decoder) checkPorts(s *Serve) {
	held := map[string]string{}
	for _, l := range []struct{ key, address string }{{"http", s.HTTP}, {"health", s.Health}, {"registry", s.Registry}, {"kafka", s.Kafka}} {
		_, port, err := net.SplitHostPort(l.address)
		if err != nil || port == "0" {
			continue
		}
		if other, ok := held[l.address]; ok {
			d.add(d.at("serve", l.key), collision, "serve."+other+" and serve."+l.key+" would listen on the same address", "choose another port")
		}
		held[l.address] = l.key
	}
}

// checkLimits finds bounds that contradict each other (I9).
func (d *decoder) checkLimits(c *Config) {
	l := &c.Limits
	below := func(key string, value Size) {
		if value > l.Memory && d.wrote("limits") {
			d.add(d.at("limits", key), outOfRange, fmt.Sprintf("limits.%s is above limits.memory, which is %v", key, l.Memory), "lower it, or raise limits.memory")
		}
	}
	below("value_bytes", l.ValueBytes)
	below("record_bytes", l.RecordBytes)
	below("queue_bytes", l.QueueBytes)
	below("batch_bytes", l.BatchBytes)
	below("write_bytes", l.WriteBytes)
	below("transaction_bytes", l.TransactionBytes)
	below("log_cache_bytes", l.LogCacheBytes)
	below("fetch_bytes", l.FetchBytes)
	below("kafka_fetch_bytes", l.KafkaFetchBytes)
	for _, name := range sortedKeys(c.Sources) {
		if b := c.Sources[name].MaxCommitBytes; b > l.Memory {
			d.add(d.at("sources", name, "max_commit_bytes"), outOfRange, fmt.Sprintf("sources.%s.max_commit_bytes is above limits.memory, which is %v", name, l.Memory), "lower it, or raise limits.memory")
		}
	}
}
