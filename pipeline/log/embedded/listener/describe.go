package listener

import (
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/evertdb/evert/pipeline/log"
)

// describeCluster names the one broker.
func (c *conn) describeCluster(*kmsg.DescribeClusterRequest) (kmsg.Response, error) {
	host, port := c.advertised()
	broker := kmsg.NewDescribeClusterResponseBroker()
	broker.NodeID, broker.Host, broker.Port = brokerID, host, port
	answer := kmsg.NewPtrDescribeClusterResponse()
	answer.ClusterID, answer.ControllerID = c.cfg.Cluster, brokerID
	answer.ClusterAuthorizedOperations = notSaid
	answer.EndpointType = 1 // brokers
	answer.Brokers = append(answer.Brokers, broker)
	return answer, nil
}

// describeConfigs gives the settings of topics by Kafka's names. The broker has
// none that could be asked for.
func (c *conn) describeConfigs(r *kmsg.DescribeConfigsRequest) (kmsg.Response, error) {
	infos, err := c.topics()
	if err != nil {
		return nil, err
	}
	byName, _ := indexTopics(infos)
	answer := kmsg.NewPtrDescribeConfigsResponse()
	for _, asked := range r.Resources {
		one := kmsg.NewDescribeConfigsResponseResource()
		one.ResourceType, one.ResourceName = asked.ResourceType, asked.ResourceName
		switch info := byName[asked.ResourceName]; {
		case asked.ResourceType == kmsg.ConfigResourceTypeBroker:
		case asked.ResourceType != kmsg.ConfigResourceTypeTopic:
			one.ErrorCode, one.ErrorMessage = kerr.InvalidRequest.Code, kmsg.StringPtr("only topics have settings here")
		case info == nil:
			one.ErrorCode = kerr.UnknownTopicOrPartition.Code
		default:
			one.Configs = settings(info, asked.ConfigNames)
		}
		answer.Resources = append(answer.Resources, one)
	}
	return answer, nil
}

// settings lists those that are asked for; with no names, all of them.
func settings(info *log.TopicInfo, names []string) (list []kmsg.DescribeConfigsResponseResourceConfig) {
	all := kafkaSettings(info)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if names != nil && !slices.Contains(names, name) {
			continue
		}
		one := kmsg.NewDescribeConfigsResponseResourceConfig()
		one.Name, one.Value = name, kmsg.StringPtr(all[name])
		one.ReadOnly, one.Source, one.ConfigType = true, kmsg.ConfigSourceDynamicTopicConfig, kmsg.ConfigTypeString
		list = append(list, one)
	}
	return list
}

// kafkaSettings says in Kafka's words what a topic of the embedded log is.
func kafkaSettings(info *log.TopicInfo) map[string]string {
	all := map[string]string{}
	maps.Copy(all, info.Settings)
	all["message.timestamp.type"] = "LogAppendTime"
	all["max.message.bytes"] = strconv.Itoa(info.MaxBytes)
	all["compression.type"] = "uncompressed"
	keep := "-1"
	if info.Retention >= 0 {
		keep = strconv.FormatInt(info.Retention.Milliseconds(), 10)
	}
	if !info.Compact {
		all["cleanup.policy"], all["retention.ms"] = "delete", keep
		return all
	}
	all["cleanup.policy"], all["delete.retention.ms"] = "compact", keep
	all["min.compaction.lag.ms"] = strconv.FormatInt(info.MinLag.Milliseconds(), 10)
	return all
}
