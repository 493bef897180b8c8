package logtest

import (
	"fmt"
	"sync"

	"github.com/evertdb/evert/pipeline/log"
)

// owning: who writes a topic.
var owning = []clause{
	{"a topic belongs to who claims it first, and that outlives the process", []Power{Reopen}, claimsLast},
	{"a refused claim claims none of its topics", nil, claimsNone},
	{"of those who claim at once at most one has the topics, and the others know it", nil, claimsRace},
	{"a topic that was given up can be claimed by another", nil, claimsAnew},
	{"compaction leaves the order of claims", []Power{Compact}, claimsCompacted},
}

func owner(deployment string) log.Owner { return log.Owner{Deployment: deployment, Source: "db"} }

func (e *env) claim(who string, topics ...string) error {
	return log.Claim(e.ctx(), e.log, owner(who), topics...)
}

// owned compares who has each topic with `topic=deployment `.
func (e *env) owned(want string, topics ...string) {
	e.Helper()
	found, err := log.Owners(e.ctx(), e.log, topics...)
	e.must(err)
	text := ""
	for _, topic := range topics {
		text += topic + "=" + found[topic].Deployment + " "
	}
	if text != want {
		e.Fatalf("the owners are %q, want %q", text, want)
	}
}

func claimsLast(e *env) {
	e.owned("a= ", "a")
	e.must(e.claim("one", "a", "b"))
	e.log = e.h.Reopen(e.T)
	e.wantCode(e.claim("two", "b"), log.RefuseOwned)
	e.wantCode(log.Claim(e.ctx(), e.log, log.Owner{Deployment: "one", Source: "other"}, "b"), log.RefuseOwned)
	e.must(e.claim("one", "b", "c"))
	e.must(e.claim("two", "d"))
	e.owned("a=one b=one c=one d=two ", "a", "b", "c", "d")
	e.wantCode(log.CheckOwner(e.ctx(), e.log, owner("two"), "d", "c"), log.RefuseOwned)
	e.must(log.CheckOwner(e.ctx(), e.log, owner("two"), "d", "free"))
}

func claimsNone(e *env) {
	e.must(e.claim("one", "a"))
	e.wantCode(e.claim("two", "b", "a"), log.RefuseOwned)
	e.owned("a=one b= ", "a", "b")
}

func claimsRace(e *env) {
	const racers = 4
	var all sync.WaitGroup
	errs := make([]error, racers)
	for i := range racers {
		all.Go(func() {
			who := log.Owner{Deployment: "shop", Source: fmt.Sprint("s", i)}
			errs[i] = log.Claim(e.ctx(), e.log, who, "a", "b")
		})
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			e.wantCode(err, log.RefuseOwned)
		}
	}
	found, err := log.Owners(e.ctx(), e.log, "a", "b")
	e.must(err)
	if none := won == 0 && len(found) == 0; none {
		return // their records lay between each other's, and all withdrew
	}
	if won != 1 || found["a"] != found["b"] || errs[found["a"].Source[1]-'0'] != nil {
		e.Fatalf("%d have the topics, which belong to %v; %v", won, found, errs)
	}
}

func claimsAnew(e *env) {
	e.must(e.claim("one", "a", "b"))
	e.must(log.Release(e.ctx(), e.log, owner("two"), "a"))
	e.wantCode(e.claim("two", "a"), log.RefuseOwned)
	e.must(log.Release(e.ctx(), e.log, owner("one"), "a"))
	e.must(e.claim("two", "a"))
	e.wantCode(e.claim("one", "a"), log.RefuseOwned)
	e.owned("a=two b=one ", "a", "b")
}

func claimsCompacted(e *env) {
	e.must(e.claim("one", "a"))
	e.must(log.Release(e.ctx(), e.log, owner("one"), "a"))
	e.must(e.claim("two", "a", "b"))
	e.h.Compact(e.T, log.OwnersTopic)
	e.owned("a=two b=two ", "a", "b")
	e.wantCode(e.claim("one", "a"), log.RefuseOwned)
}
