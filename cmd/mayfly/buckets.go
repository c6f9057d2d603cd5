package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"mayfly/storage"
	"mayfly/storage/catalog"
	objects "mayfly/storage/fs"
)

// openBuckets makes the catalog of the embedded store and the configured ones.
func (c *fileConfig) openBuckets(files *objects.Store) (*catalog.Catalog, error) {
	options := catalog.Options{Embedded: files}
	if c.buckets != nil {
		var err error
		if options.External, err = catalog.Configure(c.buckets, filepath.Dir(c.path)); err != nil {
			return nil, usageError{fmt.Errorf("%s: %w", c.path, err)}
		}
	}
	return catalog.New(options)
}

// bucketsCommand is mayfly buckets.
type bucketsCommand struct {
	Create createBucketCommand `cmd:"" help:"Create a bucket."`
	List   listBucketsCommand  `cmd:"" help:"List the buckets."`
	Delete deleteBucketCommand `cmd:"" help:"Delete an empty bucket."`
}

// bucketSettings are shared by the commands of buckets.
type bucketSettings struct {
	dataSettings
	Server string `help:"Ask the server that runs at this URL, instead of opening its folder." placeholder:"URL" env:"MAYFLY_SERVER"`
	Key    string `help:"API key for the server." env:"MAYFLY_API_KEY"`
	Tenant string `help:"Whose buckets; default: of whoever needs no key."`
	JSON   bool   `help:"Print JSON."`
}

// buckets are what the commands ask for: a catalog, or a server that has one.
type buckets interface {
	List(ctx context.Context, tenant string) ([]catalog.Bucket, error)
	Create(ctx context.Context, tenant, name string) error
	Delete(ctx context.Context, tenant, name string) error
}

func (s *bucketSettings) with(ctx context.Context, config *fileConfig, f func(buckets) error) error {
	if s.Server != "" {
		u, err := url.Parse(s.Server)
		if err != nil || u.Host == "" {
			return usageError{fmt.Errorf("--server %q is not a URL", s.Server)}
		}
		return f(&remoteBuckets{base: strings.TrimSuffix(s.Server, "/"), key: s.Key})
	}
	files, err := objects.Open(ctx, filepath.Join(s.Data, "objects"), objects.Options{})
	if errors.Is(err, storage.ErrLocked) {
		return fmt.Errorf("%w: if that is a server, ask it with --server http://127.0.0.1:8787", err)
	}
	if err != nil {
		return err
	}
	c, err := config.openBuckets(files)
	if err == nil {
		err = errors.Join(f(c), c.Close())
	}
	return errors.Join(err, files.Close())
}

type createBucketCommand struct {
	bucketSettings
	Name string `arg:"" help:"3 to 63 of a-z, 0-9 and hyphens."`
}

// Run creates a bucket.
func (cmd *createBucketCommand) Run(ctx context.Context, c console, config *fileConfig) error {
	return cmd.with(ctx, config, func(b buckets) error {
		if err := b.Create(ctx, cmd.Tenant, cmd.Name); err != nil {
			return err
		}
		fmt.Fprintf(c.err, "Bucket %s is there.\n", cmd.Name)
		return nil
	})
}

type deleteBucketCommand struct {
	bucketSettings
	Name string `arg:"" help:"Name of the bucket."`
}

// Run deletes a bucket.
func (cmd *deleteBucketCommand) Run(ctx context.Context, c console, config *fileConfig) error {
	return cmd.with(ctx, config, func(b buckets) error {
		if err := b.Delete(ctx, cmd.Tenant, cmd.Name); err != nil {
			return err
		}
		fmt.Fprintf(c.err, "Bucket %s is gone.\n", cmd.Name)
		return nil
	})
}

type listBucketsCommand struct{ bucketSettings }

// Run lists buckets.
func (cmd *listBucketsCommand) Run(ctx context.Context, c console, config *fileConfig) error {
	return cmd.with(ctx, config, func(b buckets) error {
		list, err := b.List(ctx, cmd.Tenant)
		if err != nil {
			return err
		}
		if cmd.JSON {
			out := []bucketJSON{}
			for _, one := range list {
				out = append(out, bucketJSON{one.Name, one.Backend, one.ReadOnly, one.Created})
			}
			return json.NewEncoder(c.out).Encode(map[string]any{"buckets": out})
		}
		w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tBACKEND\tACCESS\tCREATED")
		for _, one := range list {
			access, created := "read and write", "-"
			if one.ReadOnly {
				access = "read"
			}
			if !one.Created.IsZero() {
				created = one.Created.Local().Format(time.DateTime)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", one.Name, one.Backend, access, created)
		}
		return w.Flush()
	})
}

// bucketJSON is a bucket as the API tells it.
type bucketJSON struct {
	Name     string    `json:"name"`
	Backend  string    `json:"backend"`
	ReadOnly bool      `json:"read_only"`
	Created  time.Time `json:"created_at,omitzero"`
}

// remoteBuckets asks a server.
type remoteBuckets struct{ base, key string }

// maxAnswer is in bytes.
const maxAnswer = 4 << 20

func (r *remoteBuckets) ask(ctx context.Context, method, tenant, name string) (status int, body []byte, err error) {
	target := r.base + "/v1/buckets"
	if name != "" {
		target += "/" + url.PathEscape(name)
	}
	if tenant != "" {
		target += "?" + url.Values{"tenant": {tenant}}.Encode()
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, target, nil)
	if err != nil {
		return 0, nil, err
	}
	if r.key != "" {
		request.Header.Set("Authorization", "Bearer "+r.key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer)); err != nil {
		return 0, nil, err
	}
	if response.StatusCode >= 300 {
		var problem struct{ Title, Detail string }
		if json.Unmarshal(bytes.TrimSpace(body), &problem) != nil || problem.Title == "" {
			return 0, nil, fmt.Errorf("the server answers %s", response.Status)
		}
		return 0, nil, fmt.Errorf("%s: %s", problem.Title, problem.Detail)
	}
	return response.StatusCode, body, nil
}

func (r *remoteBuckets) List(ctx context.Context, tenant string) ([]catalog.Bucket, error) {
	_, body, err := r.ask(ctx, http.MethodGet, tenant, "")
	if err != nil {
		return nil, err
	}
	var answer struct{ Buckets []bucketJSON }
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("the server's answer: %w", err)
	}
	list := make([]catalog.Bucket, len(answer.Buckets))
	for i, b := range answer.Buckets {
		list[i] = catalog.Bucket{Name: b.Name, Backend: b.Backend, ReadOnly: b.ReadOnly, Created: b.Created}
	}
	return list, nil
}

func (r *remoteBuckets) Create(ctx context.Context, tenant, name string) error {
	status, _, err := r.ask(ctx, http.MethodPut, tenant, name)
	if err == nil && status == http.StatusOK {
		err = &storage.Error{Op: "create bucket", Bucket: name, Err: storage.ErrBucketExists}
	}
	return err
}

func (r *remoteBuckets) Delete(ctx context.Context, tenant, name string) error {
	_, _, err := r.ask(ctx, http.MethodDelete, tenant, name)
	return err
}
