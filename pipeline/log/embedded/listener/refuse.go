package listener

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What the embedded log does not do for others is refused with an error that no
// client tries again: it has no consumer groups, and only its sources write.
const (
	noGroups  = "Evert's embedded log has no consumer groups: assign partitions instead of subscribing, or run Evert on a Kafka cluster"
	readsOnly = "Evert's embedded log is only read here: its records come from its sources"
)

// group notes a refused request for a group and gives its error.
func (c *conn) group(key kmsg.Key) int16 {
	c.refused(c.who(), "a consumer group", key.Name()+": "+noGroups)
	return kerr.GroupAuthorizationFailed.Code
}

// write notes a refused request to change something.
func (c *conn) write(key kmsg.Key) {
	c.refused(c.who(), "a write", key.Name()+": "+readsOnly)
}

func (c *conn) findCoordinator(r *kmsg.FindCoordinatorRequest) (kmsg.Response, error) {
	code, text := c.group(kmsg.FindCoordinator), noGroups
	if r.CoordinatorType == 1 { // of transactions
		code, text = kerr.TransactionalIDAuthorizationFailed.Code, readsOnly
	}
	answer := kmsg.NewPtrFindCoordinatorResponse()
	answer.ErrorCode, answer.ErrorMessage, answer.NodeID, answer.Port = code, &text, -1, -1
	for _, key := range r.CoordinatorKeys {
		one := kmsg.NewFindCoordinatorResponseCoordinator()
		one.Key, one.ErrorCode, one.ErrorMessage, one.NodeID, one.Port = key, code, &text, -1, -1
		answer.Coordinators = append(answer.Coordinators, one)
	}
	return answer, nil
}

func (c *conn) joinGroup(*kmsg.JoinGroupRequest) (kmsg.Response, error) {
	answer := kmsg.NewPtrJoinGroupResponse()
	answer.ErrorCode, answer.Protocol = c.group(kmsg.JoinGroup), kmsg.StringPtr("")
	return answer, nil
}

func (c *conn) syncGroup(*kmsg.SyncGroupRequest) (kmsg.Response, error) {
	answer := kmsg.NewPtrSyncGroupResponse()
	answer.ErrorCode = c.group(kmsg.SyncGroup)
	return answer, nil
}

func (c *conn) heartbeat(*kmsg.HeartbeatRequest) (kmsg.Response, error) {
	answer := kmsg.NewPtrHeartbeatResponse()
	answer.ErrorCode = c.group(kmsg.Heartbeat)
	return answer, nil
}

func (c *conn) leaveGroup(*kmsg.LeaveGroupRequest) (kmsg.Response, error) {
	answer := kmsg.NewPtrLeaveGroupResponse()
	answer.ErrorCode = c.group(kmsg.LeaveGroup)
	return answer, nil
}

func (c *conn) offsetCommit(r *kmsg.OffsetCommitRequest) (kmsg.Response, error) {
	code := c.group(kmsg.OffsetCommit)
	answer := kmsg.NewPtrOffsetCommitResponse()
	for _, asked := range r.Topics {
		t := kmsg.NewOffsetCommitResponseTopic()
		t.Topic = asked.Topic
		for _, p := range asked.Partitions {
			one := kmsg.NewOffsetCommitResponseTopicPartition()
			one.Partition, one.ErrorCode = p.Partition, code
			t.Partitions = append(t.Partitions, one)
		}
		answer.Topics = append(answer.Topics, t)
	}
	return answer, nil
}

func (c *conn) offsetFetch(*kmsg.OffsetFetchRequest) (kmsg.Response, error) {
	answer := kmsg.NewPtrOffsetFetchResponse()
	answer.ErrorCode = c.group(kmsg.OffsetFetch)
	return answer, nil
}

// listGroups says what is true: there are none. Tools ask for it at their start.
func (c *conn) listGroups(*kmsg.ListGroupsRequest) (kmsg.Response, error) {
	return kmsg.NewPtrListGroupsResponse(), nil
}

func (c *conn) describeGroups(r *kmsg.DescribeGroupsRequest) (kmsg.Response, error) {
	code := c.group(kmsg.DescribeGroups)
	answer := kmsg.NewPtrDescribeGroupsResponse()
	for _, name := range r.Groups {
		g := kmsg.NewDescribeGroupsResponseGroup()
		g.Group, g.ErrorCode = name, code
		answer.Groups = append(answer.Groups, g)
	}
	return answer, nil
}

func (c *conn) deleteGroups(r *kmsg.DeleteGroupsRequest) (kmsg.Response, error) {
	code := c.group(kmsg.DeleteGroups)
	answer := kmsg.NewPtrDeleteGroupsResponse()
	for _, name := range r.Groups {
		g := kmsg.NewDeleteGroupsResponseGroup()
		g.Group, g.ErrorCode = name, code
		answer.Groups = append(answer.Groups, g)
	}
	return answer, nil
}

// produce refuses records. Who asks for no acknowledgement gets no answer
// either: the end of the connection tells, as it does on Kafka.
func (c *conn) produce(r *kmsg.ProduceRequest) (kmsg.Response, error) {
	c.write(kmsg.Produce)
	if r.Acks == 0 {
		c.last = true
		return nil, nil
	}
	answer := kmsg.NewPtrProduceResponse()
	for _, asked := range r.Topics {
		t := kmsg.NewProduceResponseTopic()
		t.Topic = asked.Topic
		for _, p := range asked.Partitions {
			one := kmsg.NewProduceResponseTopicPartition()
			one.Partition, one.ErrorCode, one.ErrorMessage = p.Partition, kerr.TopicAuthorizationFailed.Code, kmsg.StringPtr(readsOnly)
			one.BaseOffset = -1
			t.Partitions = append(t.Partitions, one)
		}
		answer.Topics = append(answer.Topics, t)
	}
	return answer, nil
}

func (c *conn) initProducerID(r *kmsg.InitProducerIDRequest) (kmsg.Response, error) {
	c.write(kmsg.InitProducerID)
	answer := kmsg.NewPtrInitProducerIDResponse()
	answer.ErrorCode, answer.ProducerID = kerr.ClusterAuthorizationFailed.Code, -1
	if r.TransactionalID != nil {
		answer.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
	}
	return answer, nil
}

func (c *conn) createTopics(r *kmsg.CreateTopicsRequest) (kmsg.Response, error) {
	c.write(kmsg.CreateTopics)
	answer := kmsg.NewPtrCreateTopicsResponse()
	for _, asked := range r.Topics {
		t := kmsg.NewCreateTopicsResponseTopic()
		t.Topic, t.ErrorCode, t.ErrorMessage = asked.Topic, kerr.TopicAuthorizationFailed.Code, kmsg.StringPtr(readsOnly)
		answer.Topics = append(answer.Topics, t)
	}
	return answer, nil
}

func (c *conn) deleteTopics(r *kmsg.DeleteTopicsRequest) (kmsg.Response, error) {
	c.write(kmsg.DeleteTopics)
	answer := kmsg.NewPtrDeleteTopicsResponse()
	for _, name := range r.TopicNames {
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic, t.ErrorCode = kmsg.StringPtr(name), kerr.TopicAuthorizationFailed.Code
		answer.Topics = append(answer.Topics, t)
	}
	return answer, nil
}

func (c *conn) deleteRecords(r *kmsg.DeleteRecordsRequest) (kmsg.Response, error) {
	c.write(kmsg.DeleteRecords)
	answer := kmsg.NewPtrDeleteRecordsResponse()
	for _, asked := range r.Topics {
		t := kmsg.NewDeleteRecordsResponseTopic()
		t.Topic = asked.Topic
		for _, p := range asked.Partitions {
			one := kmsg.NewDeleteRecordsResponseTopicPartition()
			one.Partition, one.ErrorCode, one.LowWatermark = p.Partition, kerr.TopicAuthorizationFailed.Code, -1
			t.Partitions = append(t.Partitions, one)
		}
		answer.Topics = append(answer.Topics, t)
	}
	return answer, nil
}

func (c *conn) createPartitions(r *kmsg.CreatePartitionsRequest) (kmsg.Response, error) {
	c.write(kmsg.CreatePartitions)
	answer := kmsg.NewPtrCreatePartitionsResponse()
	for _, asked := range r.Topics {
		t := kmsg.NewCreatePartitionsResponseTopic()
		t.Topic, t.ErrorCode, t.ErrorMessage = asked.Topic, kerr.TopicAuthorizationFailed.Code, kmsg.StringPtr(readsOnly)
		answer.Topics = append(answer.Topics, t)
	}
	return answer, nil
}

func (c *conn) alterConfigs(r *kmsg.AlterConfigsRequest) (kmsg.Response, error) {
	c.write(kmsg.AlterConfigs)
	answer := kmsg.NewPtrAlterConfigsResponse()
	for _, asked := range r.Resources {
		one := kmsg.NewAlterConfigsResponseResource()
		one.ResourceType, one.ResourceName = asked.ResourceType, asked.ResourceName
		one.ErrorCode, one.ErrorMessage = writeCode(asked.ResourceType), kmsg.StringPtr(readsOnly)
		answer.Resources = append(answer.Resources, one)
	}
	return answer, nil
}

func (c *conn) incrementalAlterConfigs(r *kmsg.IncrementalAlterConfigsRequest) (kmsg.Response, error) {
	c.write(kmsg.IncrementalAlterConfigs)
	answer := kmsg.NewPtrIncrementalAlterConfigsResponse()
	for _, asked := range r.Resources {
		one := kmsg.NewIncrementalAlterConfigsResponseResource()
		one.ResourceType, one.ResourceName = asked.ResourceType, asked.ResourceName
		one.ErrorCode, one.ErrorMessage = writeCode(asked.ResourceType), kmsg.StringPtr(readsOnly)
		answer.Resources = append(answer.Resources, one)
	}
	return answer, nil
}

// writeCode is the error of a refused change of settings.
func writeCode(of kmsg.ConfigResourceType) int16 {
	if of == kmsg.ConfigResourceTypeTopic {
		return kerr.TopicAuthorizationFailed.Code
	}
	return kerr.ClusterAuthorizationFailed.Code
}
