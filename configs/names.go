package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// A format is a rule for strings: a test, the rule in words, and the same as a
// pattern for editors.
type format struct {
	ok      func(string) bool
	rule    string // "it is …"
	mend    string
	pattern string
	code    code
}

// formats lists the rules by the name that stands in a field's tag.
func formats() map[string]format {
	match := func(pattern string) func(string) bool { return regexp.MustCompile(pattern).MatchString }
	name := `^[a-z][a-z0-9_-]{0,40}$`
	slot := `^[a-z0-9_]{1,63}$`
	topic := `^[A-Za-z0-9._-]{1,200}$`
	index := `^[a-z0-9][a-z0-9._-]{0,199}$`
	setting := `^[a-z][a-z0-9.]{0,99}$`
	indexSetting := `^[a-z][a-z0-9._]{0,99}$`
	header := `^[A-Za-z][A-Za-z0-9-]{0,99}$`
	daytimes := `^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$`
	host := `^[^\s:/@?#]{1,253}$`
	return map[string]format{
		"name":       {match(name), "a name is a lower-case letter and up to 40 of a-z 0-9 _ -", "choose such a name", name, badName},
		"slot":       {match(slot), "a slot is up to 63 of a-z 0-9 _", "choose such a name", slot, badName},
		"identifier": {isIdentifier, "an identifier is 1 to 63 bytes without control characters", "choose such a name", "", badName},
		"column":     {isIdentifier, "a column is 1 to 63 bytes without control characters", "choose such a name", "", badName},
		"topic":      {match(topic), "it is up to 200 of A-Z a-z 0-9 . _ -", "choose such a name", topic, badName},
		"index":      {match(index), "an index is a lower-case letter or digit and up to 199 of a-z 0-9 . _ -", "choose such a name", index, badName},
		"os-setting": {match(indexSetting), "an index setting is words of a-z 0-9 _ with dots between", "write one of the cluster's index settings, such as number_of_shards", indexSetting, badName},
		"setting":    {match(setting), "a topic setting is words of a-z 0-9 with dots between", "write one of Kafka's topic settings, such as retention.ms", setting, badName},
		"header":     {match(header), "a header is letters, digits and -", "write the name of an HTTP header, such as Authorization", header, badName},
		"daytimes":   {match(daytimes), "it is not a part of the day", "write it as 22:00-05:00", daytimes, badValue},
		"host":       {match(host), "it is the name of a host, without port", "write a host's name, such as db.example.com", host, badAddress},
		"broker":     {isBroker, "it is not host:port with a port from 1 to 65535", "write an address such as kafka-1:9092", "", badAddress},
		"listen":     {isListen, "it is not host:port with a port from 0 to 65535, nor none", "write an address such as 127.0.0.1:8380, or none", "", badAddress},
		"path":       {isText, "a path holds no line ends or control characters", "write the path of a file or directory", "", badValue},
		"text":       {isText1, "it holds a zero byte", "leave it out", "", badValue},
	}
}

func isText(s string) bool  { return strings.IndexFunc(s, func(r rune) bool { return r < ' ' }) < 0 }
func isText1(s string) bool { return !strings.ContainsRune(s, 0) }

func isIdentifier(s string) bool { return s != "" && len(s) <= 63 && isText(s) }

func isBroker(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && host != "" && !strings.ContainsAny(host, " /@") && isPort(port, 1)
}

func isListen(s string) bool {
	if s == Off {
		return true
	}
	host, port, err := net.SplitHostPort(s)
	return err == nil && !strings.ContainsAny(host, " /@") && isPort(port, 0)
}

func isPort(s string, least uint64) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n >= least
}

// isLoopback reports whether a host is this machine: localhost, 127.0.0.0/8 or
// ::1. Any other name may resolve to anything, and is not.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// addressIsLoopback is isLoopback for host:port.
func addressIsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && isLoopback(host)
}

// maxPostgresName is the length of Postgres's identifiers, in bytes.
const maxPostgresName = 63

// SlotName is the default name of a source's slot and publication:
// evert_<deployment>_<source> with - as _; beyond 63 bytes the end is a hash of
// the whole.
func SlotName(deployment, source string) string {
	whole := "evert_" + deployment + "_" + source
	name := strings.ReplaceAll(whole, "-", "_")
	if len(name) <= maxPostgresName {
		return name
	}
	sum := sha256.Sum256([]byte(whole))
	hash := "_" + hex.EncodeToString(sum[:4])
	return name[:maxPostgresName-len(hash)] + hash
}
