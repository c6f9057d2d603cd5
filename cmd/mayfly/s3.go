package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"mayfly/api/s3"
	"mayfly/host/secret"
	"mayfly/storage"
	"mayfly/storage/catalog"
)

// s3Settings are of the S3 endpoint.
type s3Settings struct {
	S3        bool     `name:"s3" help:"Serve buckets by the S3 protocol too." env:"MAYFLY_S3"`
	S3Listen  string   `name:"s3-listen" help:"Address of the S3 endpoint." default:"127.0.0.1:8788" env:"MAYFLY_S3_LISTEN"`
	S3Domains []string `name:"s3-domain" help:"Domain whose subdomains are buckets; localhost if not said." placeholder:"DOMAIN" env:"MAYFLY_S3_DOMAINS"`
	S3Public  string   `name:"s3-public-url" help:"URL by which clients reach the S3 endpoint, if not by --s3-listen." placeholder:"URL" env:"MAYFLY_S3_PUBLIC_URL"`
	S3Region  string   `name:"s3-region" help:"Region that the S3 endpoint says it is in." default:"us-east-1" env:"MAYFLY_S3_REGION"`
}

// An s3Endpoint serves; the nil one does nothing.
type s3Endpoint struct {
	server  *http.Server
	address net.Addr
	ended   chan error
	signer  *s3.Presigner
}

// serveS3 serves the buckets, if it is wanted.
func (s *s3Settings) serveS3(buckets *catalog.Catalog, secrets *secret.Store, log *slog.Logger) (*s3Endpoint, error) {
	if !s.S3 {
		return nil, nil
	}
	handler, err := s3.New(s3.Options{Catalog: buckets, Credentials: s3.Keyring{Secrets: secrets}, Domains: s.S3Domains, Region: s.S3Region, Log: log})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", s.S3Listen)
	if err != nil {
		return nil, fmt.Errorf("%w: choose another with --s3-listen; port 0 is a free one", err)
	}
	base := &url.URL{Scheme: "http", Host: listener.Addr().String()}
	if s.S3Public != "" {
		if base, err = url.Parse(s.S3Public); err != nil || base.Host == "" || base.Path != "" {
			listener.Close()
			return nil, usageError{fmt.Errorf("--s3-public-url: %q is not a URL without a path", s.S3Public)}
		}
	}
	e := &s3Endpoint{signer: &s3.Presigner{Keyring: s3.Keyring{Secrets: secrets}, Base: base, Now: time.Now}, server: handler.HTTPServer(), address: listener.Addr(), ended: make(chan error, 1)}
	go func() { e.ended <- e.server.Serve(listener) }()
	return e, nil
}

// presign makes a URL at which method can be done on a tenant's object: by the
// store that has it, or by this endpoint.
func (e *s3Endpoint) presign(ctx context.Context, buckets *catalog.Catalog, tenant, method, bucket, key string, expires time.Duration) (string, error) {
	objects, err := buckets.Open(ctx, tenant, bucket)
	if err != nil {
		return "", err
	}
	defer objects.Close()
	if own, ok := objects.(storage.Presigner); ok {
		return own.Presign(ctx, method, key, expires)
	}
	if e == nil {
		return "", &storage.Error{Op: "presign", Bucket: bucket, Key: key, Err: storage.ErrUnsupported, Hint: "serve buckets by S3 too: mayfly serve --s3"}
	}
	return e.signer.Presign(ctx, tenant, method, bucket, key, expires)
}

// shutdown answers what is under way, until ctx is over.
func (e *s3Endpoint) shutdown(ctx context.Context) error {
	if e == nil {
		return nil
	}
	return e.server.Shutdown(ctx)
}

// stop ends what is left.
func (e *s3Endpoint) stop() error {
	if e == nil {
		return nil
	}
	err := e.server.Close()
	if ended := <-e.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// s3KeysCommand is mayfly s3-keys.
type s3KeysCommand struct {
	Create createS3KeyCommand `cmd:"" help:"Create a key; its secret is printed once."`
	List   listS3KeysCommand  `cmd:"" help:"List the keys."`
	Delete deleteS3KeyCommand `cmd:"" help:"Delete a key; running servers heed it within a second."`
}

// s3KeySettings are shared by the commands of keys.
type s3KeySettings struct {
	dataSettings
	JSON bool `help:"Print JSON."`
}

// withKeyring opens the keys of a server for f.
func (s *s3KeySettings) withKeyring(ctx context.Context, f func(s3.Keyring) error) error {
	settings := secretSettings{dataSettings: s.dataSettings}
	return settings.withSecrets(ctx, func(secrets *secret.Store) error { return f(s3.Keyring{Secrets: secrets}) })
}

type createS3KeyCommand struct {
	s3KeySettings
	Name   string `arg:"" help:"What the key is for."`
	Tenant string `help:"Whose buckets it opens." default:"default"`
}

// Run creates a key.
func (cmd *createS3KeyCommand) Run(ctx context.Context, c console) error {
	return cmd.withKeyring(ctx, func(keys s3.Keyring) error {
		key, err := keys.Create(ctx, cmd.Name, cmd.Tenant)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return json.NewEncoder(c.out).Encode(map[string]string{"access_key_id": key.ID, "secret_access_key": key.Secret, "name": key.Name, "tenant": key.Tenant})
		}
		fmt.Fprintf(c.out, "AWS_ACCESS_KEY_ID=%s\nAWS_SECRET_ACCESS_KEY=%s\n", key.ID, key.Secret)
		fmt.Fprintf(c.err, "It opens the buckets of tenant %s. The secret is not shown again.\n", key.Tenant)
		return nil
	})
}

type listS3KeysCommand struct{ s3KeySettings }

// Run lists keys.
func (cmd *listS3KeysCommand) Run(ctx context.Context, c console) error {
	return cmd.withKeyring(ctx, func(keys s3.Keyring) error {
		list, err := keys.List(ctx)
		if err != nil {
			return err
		}
		if cmd.JSON {
			type entry struct {
				ID      string    `json:"access_key_id"`
				Name    string    `json:"name"`
				Tenant  string    `json:"tenant"`
				Created time.Time `json:"created_at"`
			}
			out := []entry{}
			for _, k := range list {
				out = append(out, entry{k.ID, k.Name, k.Tenant, k.Created})
			}
			return json.NewEncoder(c.out).Encode(map[string]any{"keys": out})
		}
		w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ACCESS KEY\tNAME\tTENANT\tCREATED")
		for _, k := range list {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", k.ID, k.Name, k.Tenant, k.Created.Local().Format(time.DateTime))
		}
		return w.Flush()
	})
}

type deleteS3KeyCommand struct {
	s3KeySettings
	ID string `arg:"" help:"Access key, as mayfly s3-keys list prints it."`
}

// Run deletes a key.
func (cmd *deleteS3KeyCommand) Run(ctx context.Context, c console) error {
	return cmd.withKeyring(ctx, func(keys s3.Keyring) error {
		err := keys.Delete(ctx, cmd.ID)
		if errors.Is(err, s3.ErrNoCredential) {
			return fmt.Errorf("there is no key %q: mayfly s3-keys list prints them", cmd.ID)
		}
		return err
	})
}
