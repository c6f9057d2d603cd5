package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"mayfly/host/binding"
	"mayfly/host/execution"
	"mayfly/storage"
	"mayfly/storage/catalog"
	objects "mayfly/storage/fs"
	"mayfly/storage/kv/embedded"
)

// openKV opens the values by key of a data directory.
func (s *dataSettings) openKV(ctx context.Context) (*embedded.Store, error) {
	return embedded.Open(ctx, filepath.Join(s.Data, "kv", "kv.db"), embedded.Options{})
}

// creating is a catalog whose buckets are made when they are first asked for.
type creating struct{ *catalog.Catalog }

// Open implements execution.Buckets.
func (c creating) Open(ctx context.Context, tenant, name string) (storage.Objects, error) {
	return c.OpenOrCreate(ctx, tenant, name)
}

// localStores are what stands behind the bindings of mayfly run, as far as they
// need it.
type localStores struct{ close []func() error }

func (l *localStores) open(ctx context.Context, data *dataSettings, list []execution.Binding, config *execution.Config) error {
	var buckets, namespaces bool
	for _, b := range list {
		buckets = buckets || b.Bucket != ""
		namespaces = namespaces || b.Namespace != ""
	}
	if buckets {
		files, err := objects.Open(ctx, filepath.Join(data.Data, "objects"), objects.Options{})
		if errors.Is(err, storage.ErrLocked) {
			return fmt.Errorf("%w: is a server running on it? --data names another directory", err)
		}
		if err != nil {
			return err
		}
		l.close = append(l.close, files.Close)
		c, err := catalog.New(catalog.Options{Embedded: files})
		if err != nil {
			return err
		}
		l.close = append(l.close, c.Close)
		config.Buckets = creating{c}
	}
	if namespaces {
		kv, err := data.openKV(ctx)
		if err != nil {
			return err
		}
		l.close = append(l.close, kv.Close)
		config.KV = kv
	}
	return nil
}

// Close closes what was opened, the last first.
func (l *localStores) Close() error {
	var errs []error
	for i := len(l.close) - 1; i >= 0; i-- {
		errs = append(errs, l.close[i]())
	}
	return errors.Join(errs...)
}

// parseBinding reads the value of --binding: NAME=KIND:WHAT.
func parseBinding(text string) (b execution.Binding, err error) {
	name, rest, ok := strings.Cut(text, "=")
	kind, what, ok2 := strings.Cut(rest, ":")
	if !ok || !ok2 || name == "" || what == "" {
		return b, usageError{fmt.Errorf("--binding: %q is not NAME=KIND:WHAT, as FILES=r2:reports or LIMIT=var:5", text)}
	}
	b.Name = name
	switch kind {
	case "r2", "kv":
		what, b.ReadOnly = strings.CutSuffix(what, ",ro")
		what, b.Prefix, _ = strings.Cut(what, "/")
		if kind == "r2" {
			b.Type, b.Bucket = binding.KindR2, what
		} else {
			b.Type, b.Namespace = binding.KindKV, what
		}
	case "var":
		b.Type, b.Value = binding.KindVar, json.RawMessage(what)
		if !json.Valid(b.Value) { // what is no JSON is a text
			if b.Value, err = json.Marshal(what); err != nil {
				return b, err
			}
		}
	case "secret":
		b.Type, b.Secret = binding.KindSecret, what
	case "fetcher":
		u, err := url.Parse(what)
		if err != nil || u.Host == "" {
			return b, usageError{fmt.Errorf("--binding: %q is not a URL, as https://api.example.com/", what)}
		}
		b.Type, b.BaseURL = binding.KindFetcher, what
		rule := execution.NetworkRule{Host: u.Hostname()}
		if port, err := strconv.Atoi(u.Port()); err == nil {
			rule.Ports = []int{port}
		}
		b.Network.Allow = []execution.NetworkRule{rule}
	case "assets":
		b.Type, b.Files = binding.KindAssets, what
	default:
		return b, usageError{fmt.Errorf("--binding: there is no kind %q: expected r2, kv, var, secret, fetcher or assets", kind)}
	}
	return b, nil
}
