package main

import (
	"math/rand"
	"sync"
)

const (
	poolCount    = 1024
	poolCountMin = 16
	poolBytesMax = 8 << 20
)

// valuePool holds random values of one size that nothing can compress; used again in turn.
type valuePool [][]byte

func newValuePool(bytes int) valuePool {
	count := poolBytesMax / (bytes + 1)
	if count > poolCount {
		count = poolCount
	}
	if count < poolCountMin {
		count = poolCountMin
	}
	pool := make(valuePool, count)
	for at := range pool {
		pool[at] = make([]byte, bytes)
		rand.Read(pool[at])
	}
	return pool
}

// acknowledged is the newest acknowledged value of each path, by the revision the service gave it; one for all workers.
type acknowledged struct {
	mutex     sync.Mutex
	revisions []int64
	values    []int
}

func newAcknowledged(paths int) *acknowledged {
	return &acknowledged{revisions: make([]int64, paths), values: make([]int, paths)}
}

func (a *acknowledged) note(path int, revision int64, value int) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if revision > a.revisions[path] {
		a.revisions[path] = revision
		a.values[path] = value
	}
}
