package main

import (
	"math/bits"
	"time"
)

const (
	linearBuckets = 128
	bucketCount   = 64 * 36
)

// histogram keeps latencies in buckets of at most 1.6 % width, as bench/histogram.ts has them. One goroutine at a time.
type histogram struct {
	counts [bucketCount]int64
	total  int64
}

func (h *histogram) add(latency time.Duration) {
	micros := latency.Microseconds()
	if micros < 0 {
		micros = 0
	}
	index := micros
	if micros >= linearBuckets {
		shift := int64(bits.Len64(uint64(micros)) - 7)
		index = 64*shift + micros>>uint(shift)
	}
	if index >= bucketCount {
		index = bucketCount - 1
	}
	h.counts[index]++
	h.total++
}

func (h *histogram) merge(other *histogram) {
	for at, count := range other.counts {
		h.counts[at] += count
	}
	h.total += other.total
}

func (h *histogram) pairs() [][2]int64 {
	pairs := [][2]int64{}
	for at, count := range h.counts {
		if count > 0 {
			pairs = append(pairs, [2]int64{int64(at), count})
		}
	}
	return pairs
}
