package main

import (
	"errors"
	"time"

	"go.etcd.io/etcd/etcdserver/api/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
)

const patience = 2 * time.Minute

// patiently repeats what may be done twice while the servers say that they are too busy for it: the client of Quorate
// and that of ZooKeeper go on by themselves while they connect, this one leaves it to its user.
func patiently(task func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := task()
		var refused rpctypes.EtcdError
		isBusy := errors.As(err, &refused) && refused.Code() == codes.Unavailable
		if !isBusy || time.Now().After(deadline) {
			return err
		}
	}
}
