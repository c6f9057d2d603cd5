package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"mayfly/api"
	registry "mayfly/host/deployment"
	"mayfly/host/execution"
	"mayfly/host/logs"
	"mayfly/host/schedule"
	"mayfly/host/session"
	"mayfly/host/worker"
	objects "mayfly/storage/fs"
	"mayfly/storage/kv"
	"mayfly/storage/meta"
	"mayfly/storage/usage"
)

// dataSettings are where a server keeps what it stores.
type dataSettings struct {
	Data string `help:"Directory of records and artifacts." placeholder:"DIR" default:"${data}" env:"MAYFLY_DATA" type:"path"`
}

func (s *dataSettings) openMeta(ctx context.Context) (*meta.Store, error) {
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return nil, err
	}
	return meta.Open(ctx, filepath.Join(s.Data, "meta.db"), meta.Options{})
}

// serverSettings are of serve alone.
type serverSettings struct {
	dataSettings
	Listen         string        `help:"Address to listen on; any but a loopback one needs --require-keys." default:"127.0.0.1:8787" env:"MAYFLY_LISTEN"`
	RequireKeys    bool          `help:"Refuse requests without an API key." env:"MAYFLY_REQUIRE_KEYS"`
	PublicURL      string        `name:"public-url" help:"URL by which clients reach the server, if not by --listen." placeholder:"URL" env:"MAYFLY_PUBLIC_URL"`
	ArtifactDomain string        `help:"Domain whose subdomains reach this server, for artifacts." placeholder:"DOMAIN" env:"MAYFLY_ARTIFACT_DOMAIN"`
	Hosts          []string      `help:"Further host names to serve." placeholder:"HOST" env:"MAYFLY_HOSTS"`
	Origins        []string      `help:"Web origins that may call the API." placeholder:"ORIGIN" env:"MAYFLY_ORIGINS"`
	Keep           time.Duration `help:"How long executions and artifacts are kept; 0: for ever." default:"168h" env:"MAYFLY_KEEP"`
	MaxBody        size          `help:"Largest request body." default:"16MiB" env:"MAYFLY_MAX_BODY"`
	sessionSettings
	s3Settings
	WorkerDomains []string      `help:"Domains whose subdomains are workers; localhost where the server listens on loopback." placeholder:"DOMAIN" env:"MAYFLY_WORKER_DOMAINS"`
	ShutdownGrace time.Duration `help:"How long running executions may take to end at shutdown." default:"10s" env:"MAYFLY_SHUTDOWN_GRACE"`
}

// serveCommand is mayfly serve.
type serveCommand struct {
	serverSettings
	engineSettings
	limitSettings
	bundlerSettings
	workerLimits
}

// Run serves until ctx ends, which is a signal to stop.
func (cmd *serveCommand) Run(ctx context.Context, c console, config *fileConfig) (err error) {
	log := newLog(c.err, cmd.level())
	prices, err := config.readPrices()
	if err != nil {
		return err
	}
	records, err := cmd.openMeta(ctx)
	if err != nil {
		return err
	}
	closing := context.WithoutCancel(ctx)
	defer func() { err = errors.Join(err, records.Close(closing)) }()
	files, err := objects.Open(ctx, filepath.Join(cmd.Data, "objects"), objects.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, files.Close()) }()
	artifacts, err := files.Bucket(ctx, "artifacts")
	if err != nil {
		return err
	}
	buckets, err := config.openBuckets(files)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, buckets.Close()) }()
	values, err := cmd.openKV(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, values.Close()) }()
	secret, err := loadSecret(filepath.Join(cmd.Data, "artifact.secret"))
	if err != nil {
		return err
	}
	outcome, lost := api.Interrupted()
	if n, err := records.EndUnfinished(ctx, outcome, lost); err != nil {
		return err
	} else if n > 0 {
		log.Warn("executions were under way when the server last stopped", "count", n)
	}

	secrets, err := cmd.openSecrets(records)
	if err != nil {
		return err
	}
	defaults, caps := cmd.limits()
	h, err := newHost(&cmd.engineSettings, cmd.guests(), artifacts, execution.Config{Defaults: defaults, Caps: caps, Keep: cmd.Keep, Secrets: secrets, Buckets: buckets, KV: values}, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	sessions, err := session.Open(ctx, cmd.sessionConfig(h, records, artifacts, log))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sessions.Close()) }()
	defer h.runtime.OnPressure(sessions.Relieve)()
	bundler, err := cmd.bundler(cmd.Cache)
	if err != nil {
		return err
	}
	counted, err := usage.Open(ctx, filepath.Join(cmd.Data, "usage"), usage.Options{Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, counted.Close()) }()
	sink := &logs.Sink{Usage: counted}
	workerConfig := worker.Config{Executions: h.service, Caps: cmd.caps(), Bases: int64(cmd.WorkerCodeMemory), Traced: sink.Traced, Watched: sink.Watched}
	if bundler != nil {
		defer bundler.Close()
		workerConfig.Bundler = bundler
	}
	running := worker.New(workerConfig)
	defer running.Close()
	domains := cmd.workerDomains()
	assets, err := files.Bucket(ctx, "worker-assets")
	if err != nil {
		return err
	}
	workers, err := registry.Open(ctx, registry.Config{Records: records, Workers: running, Executions: h.service, Assets: assets, Secrets: secrets, Domains: domains, Log: log})
	if err != nil {
		return err
	}
	defer workers.Close()
	crons := schedule.Start(schedule.Config{Each: workers.EachCron, Scheduled: workers.Scheduled, Claim: records.ClaimMinute, Log: log})
	defer crons.Close()
	var s3 *s3Endpoint
	server, err := api.New(api.Options{
		Presign: func(ctx context.Context, tenant, method, bucket, key string, expires time.Duration) (string, error) {
			return s3.presign(ctx, buckets, tenant, method, bucket, key, expires)
		},
		Executor: h.service, Store: records, Objects: artifacts, Sessions: sessions, Secrets: secrets, Buckets: buckets, Workers: workers, WorkerDomains: domains,
		Logs: &sink.Hub, Usage: counted, Prices: prices,
		Listen: cmd.Listen, RequireKeys: cmd.RequireKeys, PublicURL: cmd.PublicURL, ArtifactDomain: cmd.ArtifactDomain,
		Hosts: cmd.Hosts, Origins: cmd.Origins, Secret: secret, Keep: cmd.Keep, MaxBody: int64(cmd.MaxBody),
		Registry: newRegistry(h.runtime, sessions, counted), Log: log, Version: version,
	})
	if err != nil {
		return usageError{err}
	}
	if err := server.Listen(); errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: choose another with --listen; port 0 is a free one", err)
	} else if err != nil {
		return err
	}
	s3, err = cmd.serveS3(buckets, secrets, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s3.stop()) }()
	served := make(chan error, 1)
	go func() { served <- server.Serve() }()
	fmt.Fprintf(c.err, "mayfly listens on http://%s (API documentation at /docs)\n", server.Addr())
	if s3 != nil {
		fmt.Fprintf(c.err, "S3 listens on http://%s (mayfly s3-keys create makes a key)\n", s3.address)
	}

	// The first requests are answered while the guests are made ready.
	ready := make(chan error, 1)
	preparing, stopPreparing := context.WithCancel(ctx)
	defer stopPreparing()
	go func() {
		progress, finish := newProgress(c.err)
		defer finish()
		start := time.Now()
		err := h.prepare(preparing, progress)
		if finish(); err == nil {
			fmt.Fprintf(c.err, "ready after %v\n", time.Since(start).Round(time.Millisecond))
		}
		ready <- err
	}()
	sweep := time.NewTicker(time.Minute)
	defer sweep.Stop()
	prepared := false
serving:
	for {
		select {
		case <-ctx.Done():
			break serving
		case err = <-served:
			stopPreparing()
			if !prepared {
				<-ready
			}
			return err
		case err = <-ready:
			prepared = true
			if err != nil {
				break serving
			}
		case <-sweep.C:
			if err := cmd.sweep(ctx, records, files, artifacts, values); err != nil && ctx.Err() == nil {
				log.Error("sweep of what has expired", "err", err)
			}
		}
	}
	if stopPreparing(); !prepared {
		<-ready
	}
	if ctx.Err() != nil {
		err = nil
	}
	log.Info("stopping")
	grace, cancel := context.WithTimeout(closing, cmd.ShutdownGrace)
	defer cancel()
	err = errors.Join(err, server.Shutdown(grace), s3.shutdown(grace))
	if e := <-served; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// sweep removes what has expired.
func (cmd *serveCommand) sweep(ctx context.Context, records *meta.Store, files *objects.Store, artifacts *objects.Bucket, values kv.Store) error {
	_, err := records.Sweep(ctx, func(ctx context.Context, keys []string) error { return artifacts.Delete(ctx, keys...) })
	_, err2 := files.Sweep(ctx)
	_, err3 := values.Sweep(ctx)
	return errors.Join(err, err2, err3)
}

// workerDomains are the domains whose subdomains are workers.
func (cmd *serveCommand) workerDomains() []string {
	if len(cmd.WorkerDomains) > 0 || cmd.PublicURL != "" {
		return cmd.WorkerDomains
	}
	if host, _, err := net.SplitHostPort(cmd.Listen); err == nil {
		if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.IsLoopback() {
			return []string{"localhost"}
		}
	}
	return nil
}

// loadSecret reads the key that signs artifact URLs, or makes it.
func loadSecret(path string) ([]byte, error) {
	secret, err := os.ReadFile(path)
	if err == nil && len(secret) >= 32 {
		return secret, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	secret = newSecret()
	temporary := path + ".new"
	if err := os.WriteFile(temporary, secret, 0o600); err != nil {
		return nil, err
	}
	return secret, os.Rename(temporary, path)
}
