package listener

import (
	"context"
	"encoding/base64"
	"math"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/evertdb/evert/pipeline/log"
	"github.com/evertdb/evert/pipeline/log/embedded"
)

const (
	brokerID = 1  // the one broker of the cluster
	noEpoch  = -1 // leaders never change, so there are no epochs to compare
	notSaid  = math.MinInt32
)

// metadata describes the broker and the topics that are asked for; none is ever
// made by asking.
func (c *conn) metadata(r *kmsg.MetadataRequest) (kmsg.Response, error) {
	host, port := c.advertised()
	broker := kmsg.NewMetadataResponseBroker()
	broker.NodeID, broker.Host, broker.Port = brokerID, host, port
	answer := kmsg.NewPtrMetadataResponse()
	answer.Brokers = append(answer.Brokers, broker)
	answer.ClusterID = kmsg.StringPtr(c.cfg.Cluster)
	answer.ControllerID = brokerID
	infos, err := c.topics()
	if err != nil {
		return nil, err
	}
	if r.Topics == nil || r.Version == 0 && len(r.Topics) == 0 {
		for i := range infos {
			answer.Topics = append(answer.Topics, describe(&infos[i]))
		}
		return answer, nil
	}
	byName, byID := indexTopics(infos)
	for i := range r.Topics {
		answer.Topics = append(answer.Topics, find(&r.Topics[i], byName, byID))
	}
	return answer, nil
}

func (c *conn) topics() ([]log.TopicInfo, error) {
	return c.cfg.Log.Admin().Topics(context.Background())
}

func indexTopics(infos []log.TopicInfo) (byName map[string]*log.TopicInfo, byID map[uuid]*log.TopicInfo) {
	byName, byID = map[string]*log.TopicInfo{}, map[uuid]*log.TopicInfo{}
	for i := range infos {
		byName[infos[i].Name] = &infos[i]
		byID[parseID(infos[i].ID)] = &infos[i]
	}
	return byName, byID
}

// find answers for one topic that is asked for by name or, from version 10 on,
// by id.
func find(asked *kmsg.MetadataRequestTopic, byName map[string]*log.TopicInfo, byID map[uuid]*log.TopicInfo) kmsg.MetadataResponseTopic {
	unknown := kmsg.NewMetadataResponseTopic()
	unknown.AuthorizedOperations = notSaid
	if asked.Topic == nil {
		if info := byID[asked.TopicID]; info != nil {
			return describe(info)
		}
		unknown.TopicID, unknown.ErrorCode = asked.TopicID, kerr.UnknownTopicID.Code
		return unknown
	}
	if info := byName[*asked.Topic]; info != nil {
		return describe(info)
	}
	unknown.Topic, unknown.ErrorCode = asked.Topic, kerr.UnknownTopicOrPartition.Code
	if log.Sanitize(*asked.Topic) != *asked.Topic || *asked.Topic == "" {
		unknown.ErrorCode = kerr.InvalidTopicException.Code
	}
	return unknown
}

func describe(info *log.TopicInfo) kmsg.MetadataResponseTopic {
	t := kmsg.NewMetadataResponseTopic()
	t.Topic = kmsg.StringPtr(info.Name)
	t.TopicID = parseID(info.ID)
	t.IsInternal = strings.HasPrefix(info.Name, "__evert.") // left out by patterns of topics
	t.AuthorizedOperations = notSaid
	one := []int32{brokerID}
	for i := range info.Partitions {
		p := kmsg.NewMetadataResponseTopicPartition()
		p.Partition, p.Leader, p.LeaderEpoch = i, brokerID, noEpoch
		p.Replicas, p.ISR = one, one
		t.Partitions = append(t.Partitions, p)
	}
	return t
}

// uuid is a topic's identity on the wire.
type uuid = [16]byte

// parseID reads an identity as the log writes it; zero if it is none.
func parseID(text string) (id uuid) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil && len(b) == len(id) {
		copy(id[:], b)
	}
	return id
}

// topicIDs find a topic by its identity, as fetches from version 13 on name it.
type topicIDs struct {
	log   *embedded.Log
	mu    sync.Mutex
	known map[uuid]topicID
}

type topicID struct{ name, text string }

// find gives the topic of an identity, which may be gone meanwhile: its
// partitions' Bounds tell. Without one it is ErrNoTopic.
func (t *topicIDs) find(id uuid) (topicID, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if found, ok := t.known[id]; ok {
		return found, nil
	}
	infos, err := t.log.Admin().Topics(context.Background())
	if err != nil {
		return topicID{}, err
	}
	t.known = make(map[uuid]topicID, len(infos))
	for i := range infos {
		t.known[parseID(infos[i].ID)] = topicID{infos[i].Name, infos[i].ID}
	}
	found, ok := t.known[id]
	if !ok {
		return topicID{}, log.ErrNoTopic
	}
	return found, nil
}
