package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
)

const (
	afterError = 2 * time.Millisecond
	// etcd loses what its old leader had not committed and does not tell for seven seconds; a user who wants to go on
	// sooner asks again, which is safe for this write.
	requestTimeout = 500 * time.Millisecond
)

// writers write without pause, one write at a time each, and know their longest time without one.
type writers struct {
	all     []*writer
	stopped int32
	writes  int64
}

type writer struct {
	client   *clientv3.Client
	key      string
	mutex    sync.Mutex
	last     time.Time
	longest  time.Duration
	revision int64
}

// startWriters opens the first writer with all servers, over which the client spreads its requests, and every other with
// its preferred server alone: this client cannot be attached to one server and know the others.
func startWriters(order *order) (*writers, error) {
	result := &writers{}
	for at, preferred := range order.Preferred {
		servers := order.Servers
		if at > 0 {
			servers = []string{preferred}
		}
		session, err := dial(servers, time.Duration(order.SessionTimeoutMs)*time.Millisecond)
		if err != nil {
			return nil, err
		}
		result.all = append(result.all, &writer{
			client: session.client,
			key:    keyOf(order.Directory, at),
			last:   time.Now(),
		})
	}
	for _, each := range result.all {
		go result.run(each)
	}
	return result, nil
}

func (w *writers) run(each *writer) {
	value := string(make([]byte, 128))
	for atomic.LoadInt32(&w.stopped) == 0 {
		ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
		answer, err := each.client.Put(ctx, each.key, value)
		cancel()
		if err != nil {
			time.Sleep(afterError)
			continue
		}
		atomic.AddInt64(&w.writes, 1)
		atomic.StoreInt64(&each.revision, answer.Header.Revision)
		if atomic.LoadInt32(&w.stopped) == 0 {
			each.wrote()
		}
	}
}

// mark lets only gaps count that end later; one may have begun before.
func (w *writers) mark() {
	for _, each := range w.all {
		each.mutex.Lock()
		each.longest = 0
		each.mutex.Unlock()
	}
}

func (w *writers) silence() interface{} {
	silent := []float64{}
	for _, each := range w.all {
		each.mutex.Lock()
		silent = append(silent, milliseconds(time.Since(each.last)))
		each.mutex.Unlock()
	}
	return map[string]interface{}{"silentMs": silent}
}

func (w *writers) stop() interface{} {
	atomic.StoreInt32(&w.stopped, 1)
	gaps := []float64{}
	revisions := []int64{}
	for _, each := range w.all {
		revisions = append(revisions, atomic.LoadInt64(&each.revision))
		// A writer that is still waiting has a gap until now.
		gaps = append(gaps, milliseconds(each.wrote()))
	}
	writes := atomic.LoadInt64(&w.writes)
	return map[string]interface{}{"gapsMs": gaps, "revisions": revisions, "writes": writes}
}

func (w *writer) wrote() time.Duration {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	now := time.Now()
	if gap := now.Sub(w.last); gap > w.longest {
		w.longest = gap
	}
	w.last = now
	return w.longest
}
