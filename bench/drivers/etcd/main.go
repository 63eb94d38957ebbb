// Load on an etcd ensemble by its own Go client; orders and answers as bench/protocol.ts says.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io/ioutil"
	"math/rand"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
	"google.golang.org/grpc/grpclog"
)

const (
	lineBytesMax     = 64 << 20
	outstandingReads = 256
	connectsAtOnce   = 100
	openWorkersMax   = 256
	openQueueMax     = 1 << 20
)

type order struct {
	ID               int64    `json:"id"`
	Command          string   `json:"command"`
	Servers          []string `json:"servers"`
	Preferred        []string `json:"preferred"`
	Watchers         int      `json:"watchers"`
	Rounds           int      `json:"rounds"`
	SessionTimeoutMs int      `json:"sessionTimeoutMs"`
	Directory        string   `json:"directory"`
	From             int      `json:"from"`
	To               int      `json:"to"`
	Bytes            int      `json:"bytes"`
	Outstanding      int      `json:"outstanding"`
	Operation        string   `json:"operation"`
	Depth            int      `json:"depth"`
	Paths            int      `json:"paths"`
	WarmUpMs         int      `json:"warmUpMs"`
	MeasureMs        int      `json:"measureMs"`
	RatePerSecond    float64  `json:"ratePerSecond"`
	Indexes          []int    `json:"indexes"`
}

type runResult struct {
	Count        int64       `json:"count"`
	Errors       int64       `json:"errors"`
	FirstError   interface{} `json:"firstError"`
	ElapsedMs    float64     `json:"elapsedMs"`
	LongestGapMs float64     `json:"longestGapMs"`
	Histogram    [][2]int64  `json:"histogram"`
}

type driver struct {
	output       sync.Mutex
	encoder      *json.Encoder
	servers      []string
	timeout      time.Duration
	sessions     []*session
	writers      *writers
	acknowledged *acknowledged
	values       valuePool
}

func main() {
	rand.Seed(time.Now().UnixNano())
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(ioutil.Discard, ioutil.Discard, ioutil.Discard))
	driver := &driver{encoder: json.NewEncoder(os.Stdout)}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 64<<10), lineBytesMax)
	for lines.Scan() {
		driver.answer(lines.Bytes())
	}
}

func (d *driver) answer(line []byte) {
	var order order
	if err := json.Unmarshal(line, &order); err != nil {
		d.print(map[string]interface{}{"id": order.ID, "error": err.Error()})
		return
	}
	result, err := d.obey(&order)
	if err != nil {
		d.print(map[string]interface{}{"id": order.ID, "error": err.Error()})
		return
	}
	d.print(map[string]interface{}{"id": order.ID, "result": result})
}

func (d *driver) obey(order *order) (interface{}, error) {
	switch order.Command {
	case "connect":
		return d.connect(order)
	case "fill":
		return d.fill(order)
	case "run":
		return d.run(order), nil
	case "acknowledged":
		return d.listAcknowledged(), nil
	case "read":
		return d.read(order)
	case "children":
		return d.children(order)
	case "writers-start":
		writers, err := startWriters(order)
		d.writers = writers
		return struct{}{}, err
	case "writers-mark":
		d.writers.mark()
		return struct{}{}, nil
	case "writers-silence":
		return d.writers.silence(), nil
	case "writers-stop":
		return d.writers.stop(), nil
	case "ephemerals":
		return struct{}{}, d.createEphemerals(order)
	case "fanout":
		return d.fanout(order)
	}
	return nil, fmt.Errorf("unknown command %s", order.Command)
}

func (d *driver) connect(order *order) (interface{}, error) {
	d.servers = order.Servers
	d.timeout = time.Duration(order.SessionTimeoutMs) * time.Millisecond
	d.sessions = make([]*session, len(order.Servers))
	return struct{}{}, forEach(len(order.Servers), func(at int) error {
		session, err := dial(order.Servers[at:at+1], d.timeout)
		d.sessions[at] = session
		return err
	})
}

// createEphemerals binds a key to every session's lease.
func (d *driver) createEphemerals(order *order) error {
	return forEach(len(d.sessions), func(at int) error {
		session := d.sessions[at]
		return patiently(func() error {
			lease, err := session.leaseID()
			if err != nil {
				return err
			}
			key := keyOf(order.Directory, order.From+at)
			_, err = session.client.Put(context.Background(), key, "", clientv3.WithLease(lease))
			return err
		})
	})
}

// forEach calls the task with 0 to below `count`, connectsAtOnce of them at a time, and returns the first error.
func forEach(count int, task func(at int) error) error {
	var done sync.WaitGroup
	failures := make(chan error, connectsAtOnce)
	next := int64(-1)
	for worker := 0; worker < connectsAtOnce; worker++ {
		done.Add(1)
		go func() {
			defer done.Done()
			for at := int(atomic.AddInt64(&next, 1)); at < count; at = int(atomic.AddInt64(&next, 1)) {
				if err := task(at); err != nil {
					failures <- err
					return
				}
			}
		}()
	}
	done.Wait()
	close(failures)
	return <-failures
}

func (d *driver) fill(order *order) (interface{}, error) {
	values := newValuePool(order.Bytes)
	started := time.Now()
	var next = int64(order.From) - 1
	err := d.together(order.Outstanding, func(session *session) error {
		for {
			at := int(atomic.AddInt64(&next, 1))
			if at >= order.To {
				return nil
			}
			value := string(values[at%len(values)])
			_, err := session.client.Put(context.Background(), keyOf(order.Directory, at), value)
			if err != nil {
				return err
			}
		}
	})
	elapsed := milliseconds(time.Since(started))
	crcs := []uint32{}
	for _, value := range values {
		crcs = append(crcs, crc32.ChecksumIEEE(value))
	}
	return map[string]interface{}{"elapsedMs": elapsed, "crcs": crcs}, err
}

// together runs `count` of the task, evenly over the sessions, and returns the first error.
func (d *driver) together(count int, task func(*session) error) error {
	var done sync.WaitGroup
	failures := make(chan error, count)
	for at := 0; at < count; at++ {
		done.Add(1)
		go func(session *session) {
			defer done.Done()
			if err := task(session); err != nil {
				failures <- err
			}
		}(d.sessions[at%len(d.sessions)])
	}
	done.Wait()
	close(failures)
	return <-failures
}

func (d *driver) run(order *order) *runResult {
	load := newLoad(order)
	var workers []*worker
	var elapsed time.Duration
	if order.RatePerSecond > 0 {
		workers, elapsed = d.runOpen(order, load)
	} else {
		workers, elapsed = d.runClosed(order, load)
	}
	total := &histogram{}
	d.acknowledged = load.acknowledged
	d.values = load.values
	for _, worker := range workers {
		total.merge(&worker.histogram)
	}
	return &runResult{
		Count:        total.total,
		Errors:       load.errors,
		FirstError:   load.firstError.Load(),
		ElapsedMs:    milliseconds(elapsed),
		LongestGapMs: milliseconds(time.Duration(load.longestGap)),
		Histogram:    total.pairs(),
	}
}

func (d *driver) runClosed(order *order, load *load) ([]*worker, time.Duration) {
	var done sync.WaitGroup
	var workers []*worker
	for _, session := range d.sessions {
		for at := 0; at < order.Depth; at++ {
			worker := load.newWorker(session)
			workers = append(workers, worker)
			done.Add(1)
			go worker.runClosed(&done)
		}
	}
	time.Sleep(time.Duration(order.WarmUpMs) * time.Millisecond)
	load.measure()
	d.event(order, "measuring")
	started := time.Now()
	time.Sleep(time.Duration(order.MeasureMs) * time.Millisecond)
	elapsed := time.Since(started)
	d.event(order, "measured")
	atomic.StoreInt32(&load.phase, stopped)
	done.Wait()
	return workers, elapsed
}

// runOpen hands every operation to a free worker when it is due; its latency counts from then on, waiting included.
func (d *driver) runOpen(order *order, load *load) ([]*worker, time.Duration) {
	var done sync.WaitGroup
	var workers []*worker
	orders := make(chan due, openQueueMax)
	for at := 0; at < openWorkersMax*4; at++ {
		worker := load.newWorker(d.sessions[at%len(d.sessions)])
		workers = append(workers, worker)
		done.Add(1)
		go worker.runOpen(orders, &done)
	}
	warmUp := int(order.RatePerSecond * float64(order.WarmUpMs) / 1000)
	total := warmUp + int(order.RatePerSecond*float64(order.MeasureMs)/1000)
	begin := time.Now()
	measuredFrom := begin
	for at := 0; at < total; at++ {
		when := begin.Add(time.Duration(float64(at) * float64(time.Second) / order.RatePerSecond))
		if wait := time.Until(when); wait > 0 {
			time.Sleep(wait)
		}
		if at == warmUp {
			load.measure()
			measuredFrom = time.Now()
			d.event(order, "measuring")
		}
		orders <- due{at * pathStride % order.Paths, when, at >= warmUp}
	}
	close(orders)
	done.Wait()
	elapsed := time.Since(measuredFrom)
	d.event(order, "measured")
	return workers, elapsed
}

func (d *driver) listAcknowledged() interface{} {
	values := [][3]int64{}
	for path, revision := range d.acknowledged.revisions {
		if revision != 0 {
			sum := crc32.ChecksumIEEE(d.values[d.acknowledged.values[path]])
			values = append(values, [3]int64{int64(path), revision, int64(sum)})
		}
	}
	return map[string]interface{}{"values": values}
}

func (d *driver) read(order *order) (interface{}, error) {
	values := [][3]int64{}
	var mutex sync.Mutex
	next := int64(-1)
	err := d.together(outstandingReads, func(session *session) error {
		for {
			at := int(atomic.AddInt64(&next, 1))
			if at >= len(order.Indexes) {
				return nil
			}
			index := order.Indexes[at]
			answer, err := session.client.Get(context.Background(), keyOf(order.Directory, index))
			if err != nil {
				return err
			}
			for _, kv := range answer.Kvs {
				sum := int64(crc32.ChecksumIEEE(kv.Value))
				mutex.Lock()
				values = append(values, [3]int64{int64(index), kv.ModRevision, sum})
				mutex.Unlock()
			}
		}
	})
	return map[string]interface{}{"values": values}, err
}

func (d *driver) children(order *order) (interface{}, error) {
	answer, err := d.sessions[0].client.Get(
		context.Background(),
		order.Directory+"/",
		clientv3.WithPrefix(),
		clientv3.WithCountOnly(),
	)
	if err != nil {
		return nil, err
	}
	return map[string]int64{"count": answer.Count}, nil
}

func (d *driver) event(order *order, name string) {
	d.print(map[string]interface{}{"id": order.ID, "event": name})
}

func (d *driver) print(line interface{}) {
	d.output.Lock()
	defer d.output.Unlock()
	d.encoder.Encode(line)
}

func milliseconds(duration time.Duration) float64 {
	return float64(duration) / float64(time.Millisecond)
}
