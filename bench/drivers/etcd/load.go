package main

import (
	"context"
	"fmt"
	"math/rand"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/clientv3"
)

const (
	warming = iota
	measuring
	stopped
)

const (
	pathStride = 7919
	readsOfTen = 9
)

// load is what one measured run shares between its workers.
type load struct {
	order        *order
	values       valuePool
	acknowledged *acknowledged
	phase        int32
	errors       int64
	firstError   atomic.Value
	lastWrite    int64
	longestGap   int64
	created      int64
	begun        time.Time
}

func newLoad(order *order) *load {
	return &load{
		order:        order,
		values:       newValuePool(order.Bytes),
		acknowledged: newAcknowledged(order.Paths),
		begun:        time.Now(),
	}
}

// measure begins the part that counts.
func (l *load) measure() {
	atomic.StoreInt64(&l.lastWrite, int64(time.Since(l.begun)))
	atomic.StoreInt64(&l.longestGap, 0)
	atomic.StoreInt32(&l.phase, measuring)
}

func (l *load) failed(err error) {
	atomic.AddInt64(&l.errors, 1)
	l.firstError.CompareAndSwap(nil, err.Error())
}

func (l *load) wrote() {
	now := int64(time.Since(l.begun))
	gap := now - atomic.SwapInt64(&l.lastWrite, now)
	for {
		longest := atomic.LoadInt64(&l.longestGap)
		if gap <= longest || atomic.CompareAndSwapInt64(&l.longestGap, longest, gap) {
			return
		}
	}
}

// worker is one of the outstanding requests of a session.
type worker struct {
	load      *load
	session   *session
	histogram histogram
	random    *rand.Rand
}

func (l *load) newWorker(session *session) *worker {
	return &worker{
		load:    l,
		session: session,
		random:  rand.New(rand.NewSource(rand.Int63())),
	}
}

// runClosed does one operation after the other until the load stops.
func (w *worker) runClosed(done *sync.WaitGroup) {
	defer done.Done()
	path := w.random.Intn(w.load.order.Paths)
	for atomic.LoadInt32(&w.load.phase) != stopped {
		path = (path + pathStride) % w.load.order.Paths
		w.do(path, time.Now(), true)
	}
}

// due is one operation of an open loop.
type due struct {
	path    int
	at      time.Time
	counted bool
}

func (w *worker) runOpen(orders <-chan due, done *sync.WaitGroup) {
	defer done.Done()
	for order := range orders {
		w.do(order.path, order.at, order.counted)
	}
}

func (w *worker) do(path int, started time.Time, counted bool) {
	if err := w.operate(path); err != nil {
		w.load.failed(err)
		return
	}
	if counted && atomic.LoadInt32(&w.load.phase) == measuring {
		w.histogram.add(time.Since(started))
	}
}

func (w *worker) operate(path int) error {
	switch w.load.order.Operation {
	case "set":
		return w.set(path)
	case "get-linearizable":
		return w.get(path)
	case "get-local":
		return w.get(path, clientv3.WithSerializable())
	case "mix":
		if w.random.Intn(10) < readsOfTen {
			return w.get(path)
		}
		return w.set(path)
	case "create-sequential":
		return w.createSequential()
	case "lock":
		return w.session.lockCycle(w.load.order.Directory + "/lock")
	}
	return fmt.Errorf("unknown operation %s", w.load.order.Operation)
}

func (w *worker) set(path int) error {
	value := w.random.Intn(len(w.load.values))
	key := keyOf(w.load.order.Directory, path)
	answer, err := w.session.client.Put(context.Background(), key, string(w.load.values[value]))
	if err != nil {
		return err
	}
	w.load.acknowledged.note(path, answer.Header.Revision, value)
	w.load.wrote()
	return nil
}

func (w *worker) get(path int, options ...clientv3.OpOption) error {
	key := keyOf(w.load.order.Directory, path)
	answer, err := w.session.client.Get(context.Background(), key, options...)
	if err == nil && len(answer.Kvs) != 1 {
		return fmt.Errorf("%s is missing", key)
	}
	return err
}

// createSequential makes a key that no other has, bound to the session's lease, and deletes it. etcd orders by
// creation revision, so the key needs no number of the service's.
func (w *worker) createSequential() error {
	lease, err := w.session.leaseID()
	if err != nil {
		return err
	}
	number := atomic.AddInt64(&w.load.created, 1)
	key := fmt.Sprintf("%s/seq-%x-%d", w.load.order.Directory, int64(lease), number)
	put := clientv3.OpPut(key, string(w.load.values[0]), clientv3.WithLease(lease))
	answer, err := w.session.client.Txn(context.Background()).
		If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
		Then(put).
		Commit()
	if err != nil {
		return err
	}
	if !answer.Succeeded {
		return fmt.Errorf("%s exists", key)
	}
	_, err = w.session.client.Delete(context.Background(), key)
	return err
}

func keyOf(directory string, index int) string {
	return fmt.Sprintf("%s/item-%07d", directory, index)
}
