package listener

import (
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// An api is one kind of request, in the versions that are answered.
type api struct {
	key      kmsg.Key
	min, max int16
	stranger bool   // answered before a login
	shape    string // of the body; see shape.go
	answer   func(*conn, kmsg.Request) (kmsg.Response, error)

	bodies map[int16]*body // by version
}

// allAPIs are what is answered. Reading goes as far as the versions of current
// clients: librdkafka 2.0, franz-go 1.22, Java 4.4. What is refused is answered
// in old versions, which every client still speaks: they only have to carry an
// error, and librdkafka takes a broker for ancient that does not list them.
func allAPIs() []*api {
	return []*api{
		{key: kmsg.ApiVersions, min: 0, max: 4, stranger: true, shape: ">=3:s >=3:s t", answer: on((*conn).apiVersions)},
		{key: kmsg.SASLHandshake, min: 1, max: 1, stranger: true, shape: "s", answer: on((*conn).saslHandshake)},
		{key: kmsg.SASLAuthenticate, min: 0, max: 2, stranger: true, shape: "b t", answer: on((*conn).saslAuthenticate)},

		{key: kmsg.Metadata, min: 0, max: 13, shape: "[ >=10:16 s t ] >=4:1 >=8:<11:1 >=8:1 t", answer: on((*conn).metadata)},
		{key: kmsg.ListOffsets, min: 1, max: 10, shape: "4 >=2:1 [ s [ 4 >=4:4 8 t ] t ] >=10:4 t", answer: on((*conn).listOffsets)},
		{key: kmsg.Fetch, min: 4, max: 17, shape: "<15:4 4 4 4 1 >=7:4 >=7:4 [ <13:s >=13:16 [ 4 >=9:4 8 >=12:4 >=5:8 4 t ] t ] >=7:[ <13:s >=13:16 [ 4 ] t ] >=11:s t", answer: on((*conn).fetch)},
		{key: kmsg.DescribeCluster, min: 0, max: 1, shape: "1 >=1:1 t", answer: on((*conn).describeCluster)},
		{key: kmsg.DescribeConfigs, min: 1, max: 4, shape: "[ 1 s [ s ] t ] 1 >=3:1 t", answer: on((*conn).describeConfigs)},
		{key: kmsg.ListGroups, min: 0, max: 2, shape: "", answer: on((*conn).listGroups)},

		{key: kmsg.FindCoordinator, min: 0, max: 4, shape: "<4:s >=1:1 >=4:[ s ] t", answer: on((*conn).findCoordinator)},
		{key: kmsg.JoinGroup, min: 0, max: 5, shape: "s 4 >=1:4 s >=5:s s [ s b ]", answer: on((*conn).joinGroup)},
		{key: kmsg.SyncGroup, min: 0, max: 3, shape: "s 4 s >=3:s [ s b ]", answer: on((*conn).syncGroup)},
		{key: kmsg.Heartbeat, min: 0, max: 3, shape: "s 4 s >=3:s", answer: on((*conn).heartbeat)},
		{key: kmsg.LeaveGroup, min: 0, max: 3, shape: "s <3:s >=3:[ s s ]", answer: on((*conn).leaveGroup)},
		{key: kmsg.OffsetCommit, min: 2, max: 7, shape: "s 4 s >=7:s <5:8 [ s [ 4 8 >=6:4 s ] ]", answer: on((*conn).offsetCommit)},
		{key: kmsg.OffsetFetch, min: 2, max: 5, shape: "s [ s [ 4 ] ]", answer: on((*conn).offsetFetch)},
		{key: kmsg.DescribeGroups, min: 0, max: 4, shape: "[ s ] >=3:1", answer: on((*conn).describeGroups)},
		{key: kmsg.DeleteGroups, min: 0, max: 1, shape: "[ s ]", answer: on((*conn).deleteGroups)},

		{key: kmsg.Produce, min: 3, max: 8, shape: "s 2 4 [ s [ 4 b ] ]", answer: on((*conn).produce)},
		{key: kmsg.InitProducerID, min: 0, max: 1, shape: "s 4", answer: on((*conn).initProducerID)},
		{key: kmsg.CreateTopics, min: 2, max: 4, shape: "[ s 4 2 [ 4 [ 4 ] ] [ s s ] ] 4 1", answer: on((*conn).createTopics)},
		{key: kmsg.DeleteTopics, min: 1, max: 3, shape: "[ s ] 4", answer: on((*conn).deleteTopics)},
		{key: kmsg.DeleteRecords, min: 0, max: 1, shape: "[ s [ 4 8 ] ] 4", answer: on((*conn).deleteRecords)},
		{key: kmsg.CreatePartitions, min: 0, max: 1, shape: "[ s 4 [ [ 4 ] ] ] 4 1", answer: on((*conn).createPartitions)},
		{key: kmsg.AlterConfigs, min: 0, max: 1, shape: "[ 1 s [ s s ] ] 1", answer: on((*conn).alterConfigs)},
		{key: kmsg.IncrementalAlterConfigs, min: 0, max: 0, shape: "[ 1 s [ s 1 s ] ] 1", answer: on((*conn).incrementalAlterConfigs)},
	}
}

// on makes a handler of one kind of request a handler of any.
func on[R kmsg.Request](fn func(*conn, R) (kmsg.Response, error)) func(*conn, kmsg.Request) (kmsg.Response, error) {
	return func(c *conn, r kmsg.Request) (kmsg.Response, error) { return fn(c, r.(R)) }
}

// compileAPIs reads the shapes of all versions.
func compileAPIs() (map[int16]*api, error) {
	apis := map[int16]*api{}
	for _, a := range allAPIs() {
		a.bodies = map[int16]*body{}
		for v := a.min; v <= a.max; v++ {
			r := kmsg.RequestForKey(a.key.Int16())
			r.SetVersion(v)
			b, err := compile(a.shape, v, r.IsFlexible())
			if err != nil {
				return nil, fmt.Errorf("shape of %s version %d: %w", a.key.Name(), v, err)
			}
			a.bodies[v] = &b
		}
		apis[a.key.Int16()] = a
	}
	return apis, nil
}

// apiVersions lists what is answered.
func (c *conn) apiVersions(*kmsg.ApiVersionsRequest) (kmsg.Response, error) {
	answer := kmsg.NewPtrApiVersionsResponse()
	for _, key := range slices.Sorted(maps.Keys(c.apis)) {
		answer.ApiKeys = append(answer.ApiKeys, c.apis[key].versions())
	}
	return answer, nil
}

func (a *api) versions() kmsg.ApiVersionsResponseApiKey {
	k := kmsg.NewApiVersionsResponseApiKey()
	k.ApiKey, k.MinVersion, k.MaxVersion = a.key.Int16(), a.min, a.max
	return k
}

// tooNew answers ApiVersions of a version that we do not know: in version 0,
// with the versions that we do, so that the client asks again (KIP-511).
func (c *conn) tooNew() kmsg.Response {
	answer := kmsg.NewPtrApiVersionsResponse()
	answer.ErrorCode = kerr.UnsupportedVersion.Code
	answer.ApiKeys = append(answer.ApiKeys, c.apis[kmsg.ApiVersions.Int16()].versions())
	return answer
}
