package monitor

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Registry is what is known of the schema registry: of the embedded one how
// much it holds and what it was asked for, of another one how it answers us. The
// zero value knows nothing; its methods may be called from any goroutine.
type Registry struct {
	mu       sync.Mutex
	holds    func() (schemas, highest int) // nil: it is not ours
	served   map[route]uint64
	asked    map[string]uint64 // by class
	answered bool              // the last time that it was asked
	took     time.Duration     // all requests together
}

// A route is what was asked for and how that was answered.
type route struct{ pattern, class string }

// Holds says that the registry is the embedded one, and how to ask for its size.
func (r *Registry) Holds(size func() (schemas, highest int)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holds = size
}

// Served counts a request to the embedded registry: the pattern of its route,
// empty if it was refused before it came to one.
func (r *Registry) Served(pattern string, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if pattern == "" {
		pattern = "refused"
	}
	if r.served == nil {
		r.served = map[route]uint64{}
	}
	r.served[route{pattern, class(status)}]++
}

// Asked counts a request of ours to another registry; status 0 is no answer.
func (r *Registry) Asked(status int, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked == nil {
		r.asked = map[string]uint64{}
	}
	r.asked[class(status)]++
	r.took += took
	r.answered = status != 0 && (status < http.StatusBadGateway || status > http.StatusGatewayTimeout)
}

// class is that of a status, such as 4xx, or none.
func class(status int) string {
	if status == 0 {
		return "none"
	}
	return strconv.Itoa(status/100) + "xx"
}

func registryDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("evert_registry_"+name, help, labels, nil)
}

func registryServedDesc() *prometheus.Desc {
	return registryDesc("requests_total", "Requests to the embedded schema registry since the daemon started, by route and class of the answer's status; route refused is what came to none: a wrong token, too many requests.", "route", "class")
}

func registrySchemasDesc() *prometheus.Desc {
	return registryDesc("schemas", "Schemas in the embedded registry. Absent when registry.url names another one.")
}

func registryLastDesc() *prometheus.Desc {
	return registryDesc("last_id", "The highest schema id that the embedded registry has given out; 0 if none. Absent when registry.url names another one.")
}

func registryAskedDesc() *prometheus.Desc {
	return registryDesc("client_requests_total", "Requests of ours to the registry that registry.url names, since the daemon started, by class of the answer's status; class none got no answer, after it was tried several times.", "class")
}

func registryTookDesc() *prometheus.Desc {
	return registryDesc("client_seconds_total", "Seconds that requests of ours to the registry that registry.url names took since the daemon started, all together.")
}

func registryReachableDesc() *prometheus.Desc {
	return registryDesc("reachable", "1 while the registry that registry.url names answered when it was last asked, else 0. It is asked when a table is new or has changed. Absent before that, and for the embedded one.")
}

func registryDescs() []func() *prometheus.Desc {
	return []func() *prometheus.Desc{registryServedDesc, registrySchemasDesc, registryLastDesc, registryAskedDesc, registryTookDesc, registryReachableDesc}
}

func (r *Registry) collect(ch chan<- prometheus.Metric) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for at, n := range r.served {
		ch <- prometheus.MustNewConstMetric(registryServedDesc(), prometheus.CounterValue, float64(n), at.pattern, at.class)
	}
	if r.holds != nil {
		schemas, highest := r.holds()
		level(ch, registrySchemasDesc(), float64(schemas))
		level(ch, registryLastDesc(), float64(highest))
	}
	if r.asked == nil {
		return
	}
	for class, n := range r.asked {
		ch <- prometheus.MustNewConstMetric(registryAskedDesc(), prometheus.CounterValue, float64(n), class)
	}
	ch <- prometheus.MustNewConstMetric(registryTookDesc(), prometheus.CounterValue, r.took.Seconds())
	level(ch, registryReachableDesc(), bit(r.answered))
}
