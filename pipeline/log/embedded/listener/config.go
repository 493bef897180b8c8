package listener

import (
	"time"

	"github.com/evertdb/evert/pipeline/log/embedded"
)

// Config says what is served, to whom, and within which bounds.
type Config struct {
	Log     *embedded.Log
	Cluster string // the name that clients see for the cluster; the deployment's

	// Advertised is the host:port that clients are told to connect to, for when
	// they reach it through another address than ours. Empty: each client is
	// told what it dialled.
	Advertised string

	// Token gives the password that SASL PLAIN has to carry, asked for anew at
	// each login. Nil, or an empty token: anybody may read.
	Token func() (string, error)

	Limits Limits
	Events Events
}

// Limits are the bounds of what clients can take (I9). The zero value of a
// field takes the default.
type Limits struct {
	Connections  int           // open at one time; one more is closed at once; 64
	RequestBytes int           // the largest request; a larger one closes its connection; 1 MiB
	Fetches      int           // answers with records that are made or sent at one time; 8
	FetchBytes   int           // of records in one answer, save that one batch always goes; 1 MiB
	MaxWait      time.Duration // how long a fetch may wait for records, whatever it asks for; 30 s
	Send         time.Duration // how long a client may take for each 64 KiB of an answer; 10 s
	Login        time.Duration // from the connection to the end of TLS and login; 10 s
	Idle         time.Duration // between two requests of one connection; 10 min
}

func (l Limits) withDefaults() Limits {
	or(&l.Connections, 64)
	or(&l.RequestBytes, 1<<20)
	or(&l.Fetches, 8)
	or(&l.FetchBytes, 1<<20)
	or(&l.MaxWait, 30*time.Second)
	or(&l.Send, 10*time.Second)
	or(&l.Login, 10*time.Second)
	or(&l.Idle, 10*time.Minute)
	return l
}

// or sets *v to the default if it is zero.
func or[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// Events are told what happens inside, on the goroutines of connections; they
// must not block. Any of them may be nil.
type Events struct {
	// Refused tells that a client did not get what it asked for, and why. It is
	// told once a minute for each reason, however often it happens.
	Refused func(client, why string)
}
