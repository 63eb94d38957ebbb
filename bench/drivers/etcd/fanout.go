package main

import (
	"context"
	"fmt"
	"hash/crc32"
	"time"

	"go.etcd.io/etcd/clientv3"
)

const fanoutTimeout = 30 * time.Second

// fanout has many watchers of one key hear of every write, and returns the times to the last delivery.
func (d *driver) fanout(order *order) (interface{}, error) {
	key := keyOf(order.Directory, 0)
	values := newValuePool(order.Bytes)
	writer, err := dial(d.servers[:1], d.timeout)
	if err != nil {
		return nil, err
	}
	defer writer.client.Close()
	delivered := make(chan time.Time, order.Watchers)
	for at := 0; at < order.Watchers; at++ {
		client := d.sessions[at%len(d.sessions)].client
		events := client.Watch(context.Background(), key, clientv3.WithCreatedNotify())
		if created := <-events; !created.Created {
			return nil, fmt.Errorf("watch %d: %v", at, created.Err())
		}
		go func() {
			for answer := range events {
				for range answer.Events {
					delivered <- time.Now()
				}
			}
		}()
	}
	lastMs := []float64{}
	acknowledged := [3]int64{}
	for round := 0; round < order.Rounds; round++ {
		last, err := awaitDeliveries(order.Watchers, delivered, func() error {
			value := values[round%len(values)]
			answer, err := writer.client.Put(context.Background(), key, string(value))
			if err == nil {
				acknowledged = [3]int64{0, answer.Header.Revision, int64(crc32.ChecksumIEEE(value))}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		lastMs = append(lastMs, milliseconds(last))
	}
	return map[string]interface{}{"lastMs": lastMs, "acknowledged": acknowledged}, nil
}

func awaitDeliveries(
	watchers int,
	delivered <-chan time.Time,
	write func() error,
) (time.Duration, error) {
	started := time.Now()
	last := started
	if err := write(); err != nil {
		return 0, err
	}
	timeout := time.After(fanoutTimeout)
	for at := 0; at < watchers; at++ {
		select {
		case when := <-delivered:
			if when.After(last) {
				last = when
			}
		case <-timeout:
			return 0, fmt.Errorf("%d of %d watchers heard of a write", at, watchers)
		}
	}
	return last.Sub(started), nil
}
