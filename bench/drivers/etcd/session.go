package main

import (
	"context"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/clientv3/concurrency"
	"go.uber.org/zap"
)

// session is one client with a connection of its own, and a lease once something needs it.
type session struct {
	client  *clientv3.Client
	timeout time.Duration
	mutex   sync.Mutex
	lease   clientv3.LeaseID
	lock    *concurrency.Mutex
}

func dial(servers []string, timeout time.Duration) (*session, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints:   servers,
		DialTimeout: 30 * time.Second,
		LogConfig:   silent(),
	})
	if err != nil {
		return nil, err
	}
	// Serializable: connecting costs the other systems no quorum round either.
	err = patiently(func() error {
		_, err := client.Get(context.Background(), "/", clientv3.WithSerializable())
		return err
	})
	return &session{client: client, timeout: timeout}, err
}

// silent keeps the client from printing what the callers hear as errors.
func silent() *zap.Config {
	config := zap.NewProductionConfig()
	config.Level = zap.NewAtomicLevelAt(zap.FatalLevel)
	return &config
}

// leaseID is the session's lease, granted at the first call and kept alive from then on.
func (s *session) leaseID() (clientv3.LeaseID, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.lease != 0 {
		return s.lease, nil
	}
	grant, err := s.client.Grant(context.Background(), int64(s.timeout/time.Second))
	if err != nil {
		return 0, err
	}
	answers, err := s.client.KeepAlive(context.Background(), grant.ID)
	if err != nil {
		return 0, err
	}
	go func() {
		for range answers {
		}
	}()
	s.lease = grant.ID
	return s.lease, nil
}

// lockCycle acquires the lock and releases it; one at a time for each session.
func (s *session) lockCycle(path string) error {
	if s.lock == nil {
		seconds := concurrency.WithTTL(int(s.timeout / time.Second))
		holder, err := concurrency.NewSession(s.client, seconds)
		if err != nil {
			return err
		}
		s.lock = concurrency.NewMutex(holder, path)
	}
	if err := s.lock.Lock(context.Background()); err != nil {
		return err
	}
	return s.lock.Unlock(context.Background())
}
