package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"mayfly/storage"
	"mayfly/storage/fs"
	"mayfly/storage/s3"
	"mayfly/storage/s3/versity"
)

// Clients and contents of the comparison of object stores.
const (
	objectClients = 64
	objectSize    = 4 << 10
	objectKeys    = 4096
)

// objects compares the embedded store with versitygw on the same disk: puts
// and gets of 4 KB by 64 clients, in turns. The embedded store is asked as the
// server asks it, in process; versitygw by the backend for S3, which is how the
// server would use it.
func (b *bench) objects(ctx context.Context) (results []result, err error) {
	folder, err := os.MkdirTemp(b.cache, "objects-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	store, err := fs.Open(ctx, filepath.Join(folder, "embedded"), fs.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	embedded, err := store.Bucket(ctx, "bench")
	if err != nil {
		return nil, err
	}
	theirs := filepath.Join(folder, "versitygw")
	if err := os.Mkdir(theirs, 0o755); err != nil {
		return nil, err
	}
	server, err := versity.Start(ctx, versity.Options{Folder: theirs, Log: os.Stderr})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	if err := server.Bucket("bench"); err != nil {
		return nil, err
	}
	peer, err := s3.Open(s3.Config{
		Endpoint: server.URL, Region: versity.Region, Bucket: "bench", PathStyle: true,
		AccessKey: versity.AccessKey, SecretKey: versity.SecretKey,
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, peer.Close()) }()

	for _, o := range []storage.Objects{embedded, peer} {
		if err := fillObjects(ctx, o); err != nil {
			return nil, err
		}
	}
	length := pick(b.quick, time.Second, 4*time.Second)
	var ours, other, ratios [2][]float64
	for round := range pick(b.quick, 3, 7) {
		for i, do := range []func(context.Context, storage.Objects, int) error{putObject, getObject} {
			a, err := objectRate(ctx, embedded, length, do)
			if err != nil {
				return nil, fmt.Errorf("embedded: %w", err)
			}
			v, err := objectRate(ctx, peer, length, do)
			if err != nil {
				return nil, fmt.Errorf("versitygw: %w", err)
			}
			if round == 0 {
				continue // caches and connections were cold
			}
			ours[i], other[i], ratios[i] = append(ours[i], a), append(other[i], v), append(ratios[i], a/v)
		}
	}
	for i, what := range []string{"put", "get"} {
		results = append(results, result{
			target:   target{what: "embedded store, 4 KB " + what + ", 64 clients, against versitygw on the same disk", must: 1, aim: 3, atLeast: true, unit: "×"},
			measured: median(ratios[i]), rounds: ratios[i],
			detail: fmt.Sprintf("in process %.0f a second, versitygw %s over HTTP by storage/s3 %.0f; the embedded store syncs to the disk before it acknowledges a put, versitygw does not",
				median(ours[i]), versity.Version, median(other[i])),
		})
	}
	return results, nil
}

// objectRate is how many operations a second 64 clients get done.
func objectRate(ctx context.Context, o storage.Objects, length time.Duration, do func(context.Context, storage.Objects, int) error) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var done atomic.Int64
	var clients sync.WaitGroup
	start := time.Now()
	for client := range objectClients {
		clients.Go(func() {
			for n := client; time.Since(start) < length; n += objectClients {
				if err := do(ctx, o, n%objectKeys); err != nil {
					cancel(err)
					return
				}
				done.Add(1)
			}
		})
	}
	clients.Wait()
	return float64(done.Load()) / time.Since(start).Seconds(), context.Cause(ctx)
}

// fillObjects puts every key.
func fillObjects(ctx context.Context, o storage.Objects) error {
	errs := make([]error, objectClients)
	var clients sync.WaitGroup
	for client := range objectClients {
		clients.Go(func() {
			for n := client; n < objectKeys && errs[client] == nil; n += objectClients {
				errs[client] = putObject(ctx, o, n)
			}
		})
	}
	clients.Wait()
	return errors.Join(errs...)
}

// objectContent is the same for each key.
func objectContent(n int) []byte { return bytes.Repeat([]byte(fmt.Sprintf("%08d", n)), objectSize/8) }

func objectKey(n int) string { return "folder" + strconv.Itoa(n%16) + "/object" + strconv.Itoa(n) }

func putObject(ctx context.Context, o storage.Objects, n int) error {
	_, err := o.Put(ctx, objectKey(n), bytes.NewReader(objectContent(n)), storage.PutOptions{})
	return err
}

func getObject(ctx context.Context, o storage.Objects, n int) error {
	c, err := o.Get(ctx, objectKey(n), storage.GetOptions{})
	if err != nil {
		return err
	}
	got, err := io.ReadAll(c.Body)
	if err = errors.Join(err, c.Body.Close()); err == nil && !bytes.Equal(got, objectContent(n)) {
		err = errors.New("other contents")
	}
	return err
}
