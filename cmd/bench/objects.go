package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	s3server "mayfly/api/s3"
	"mayfly/storage"
	"mayfly/storage/catalog"
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
// and gets of 4 KB by 64 clients, in turns. Both are asked by the backend for
// S3 over HTTP, and the embedded store also in process, as the server asks it.
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
	peer, err := openPeer(server.URL)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, peer.Close()) }()
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	own, err := startInherited(ctx, "s3", func() *exec.Cmd { return exec.CommandContext(ctx, self, modeS3, filepath.Join(folder, "served")) })
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, own.stop()) }()
	served, err := openPeer("http://" + own.address)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, served.Close()) }()
	for _, o := range []storage.Objects{embedded, served, peer} {
		if err := fillObjects(ctx, o); err != nil {
			return nil, err
		}
	}
	length := pick(b.quick, time.Second, 4*time.Second)
	stores := []storage.Objects{embedded, served, peer}
	var rates [2][3][]float64
	var ratios [2][2][]float64
	for round := range pick(b.quick, 3, 7) {
		for i, do := range []func(context.Context, storage.Objects, int) error{putObject, getObject} {
			var now [3]float64
			for k, o := range stores {
				if now[k], err = objectRate(ctx, o, length, do); err != nil {
					return nil, err
				}
			}
			if round == 0 {
				continue // caches and connections were cold
			}
			for k, rate := range now {
				rates[i][k] = append(rates[i][k], rate)
			}
			for k := range ratios[i] {
				ratios[i][k] = append(ratios[i][k], now[k]/now[2])
			}
		}
	}
	for i, what := range []string{"put", "get"} {
		for k, how := range []string{"over S3", "in process"} {
			k = 1 - k
			results = append(results, result{
				target:   target{what: "embedded store, 4 KB " + what + " " + how + ", 64 clients, against versitygw on the same disk", must: 1, aim: 3, atLeast: true, unit: "×"},
				measured: median(ratios[i][k]), rounds: ratios[i][k],
				detail: fmt.Sprintf("a second, by the same client but for the one in process: in process %.0f, mayfly's S3 server %.0f, versitygw %s %.0f; the embedded store syncs to the disk before it acknowledges a put, versitygw does not",
					median(rates[i][0]), median(rates[i][1]), versity.Version, median(rates[i][2])),
			})
		}
	}
	return results, nil
}

// openPeer is a client of an S3 server with the bucket "bench".
func openPeer(url string) (storage.Objects, error) {
	return s3.Open(s3.Config{
		Endpoint: url, Region: versity.Region, Bucket: "bench", PathStyle: true,
		AccessKey: versity.AccessKey, SecretKey: versity.SecretKey,
	})
}

// oneCredential is the only one of the server that serveObjects runs.
type oneCredential struct{}

func (oneCredential) Credential(_ context.Context, id string) (s3server.Credential, error) {
	if id != versity.AccessKey {
		return s3server.Credential{}, s3server.ErrNoCredential
	}
	return s3server.Credential{ID: id, Secret: versity.SecretKey}, nil
}

// serveObjects is the process of mayfly's S3 server over an embedded store.
func serveObjects(ctx context.Context, args []string) (err error) {
	store, err := fs.Open(ctx, args[0], fs.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	buckets, err := catalog.New(catalog.Options{Embedded: store})
	if err != nil {
		return err
	}
	if err := buckets.Create(ctx, "", "bench"); err != nil {
		return err
	}
	server, err := s3server.New(s3server.Options{Catalog: buckets, Credentials: oneCredential{}})
	if err != nil {
		return err
	}
	l, err := net.FileListener(os.NewFile(3, "socket"))
	if err != nil {
		return err
	}
	h := server.HTTPServer()
	context.AfterFunc(ctx, func() { h.Close() })
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
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
