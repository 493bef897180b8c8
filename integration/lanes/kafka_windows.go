package main

import "context"

func prepareKafka(context.Context, *report) (tally, error) {
	return tally{}, cannot{"tests start Apache Kafka on unix alone", "run them under WSL"}
}
