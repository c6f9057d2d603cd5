package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"mayfly/host/secret"
	"mayfly/storage/meta"
)

// secretsCommand is mayfly secrets.
type secretsCommand struct {
	Set    setSecretCommand    `cmd:"" help:"Set a secret to what standard input holds; running servers use it at once."`
	List   listSecretsCommand  `cmd:"" help:"List the names of secrets. Values can't be read."`
	Delete deleteSecretCommand `cmd:"" help:"Delete a secret."`
}

// openSecrets opens the secrets of a server's records.
func (s *dataSettings) openSecrets(records meta.Secrets) (*secret.Store, error) {
	key, err := secret.LoadKey(filepath.Join(s.Data, "secrets.key"))
	if err != nil {
		return nil, err
	}
	return secret.New(records, key)
}

// secretSettings are shared by the commands of secrets.
type secretSettings struct {
	dataSettings
	Tenant string `help:"Whose secrets." default:"default"`
}

// withSecrets opens the secrets of a server for f.
func (s *secretSettings) withSecrets(ctx context.Context, f func(*secret.Store) error) error {
	records, err := s.openMeta(ctx)
	if err != nil {
		return err
	}
	store, err := s.openSecrets(records)
	if err == nil {
		err = f(store)
	}
	return errors.Join(err, records.Close(context.WithoutCancel(ctx)))
}

type setSecretCommand struct {
	secretSettings
	Name string `arg:"" help:"Name, of letters, digits and _."`
}

// Run sets a secret.
func (cmd *setSecretCommand) Run(ctx context.Context, c console) error {
	if err := secret.CheckName(cmd.Name); err != nil {
		return usageError{err}
	}
	value, err := readSecret(c, cmd.Name)
	if err != nil {
		return err
	}
	return cmd.withSecrets(ctx, func(secrets *secret.Store) error {
		_, err := secrets.Put(ctx, cmd.Tenant, cmd.Name, value)
		return err
	})
}

// readSecret reads a value, without showing it where somebody types it. One
// newline at its end is not part of it.
func readSecret(c console, name string) (string, error) {
	var value []byte
	var err error
	if f, ok := c.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprintf(c.err, "Value of %s: ", name)
		value, err = term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(c.err)
	} else {
		value, err = io.ReadAll(io.LimitReader(c.in, secret.MaxValue+3))
	}
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(value), "\n"), "\r"), nil
}

type listSecretsCommand struct {
	secretSettings
	JSON bool `help:"Print JSON."`
}

// Run lists secrets.
func (cmd *listSecretsCommand) Run(ctx context.Context, c console) error {
	return cmd.withSecrets(ctx, func(secrets *secret.Store) error {
		list, err := secrets.List(ctx, cmd.Tenant)
		if err != nil {
			return err
		}
		if cmd.JSON {
			type entry struct {
				Name    string    `json:"name"`
				Created time.Time `json:"created_at"`
				Updated time.Time `json:"updated_at"`
			}
			out := []entry{}
			for _, i := range list {
				out = append(out, entry(i))
			}
			return json.NewEncoder(c.out).Encode(map[string]any{"secrets": out})
		}
		w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAME\tSET")
		for _, i := range list {
			fmt.Fprintf(w, "%s\t%s\n", i.Name, i.Updated.Local().Format(time.DateTime))
		}
		return w.Flush()
	})
}

type deleteSecretCommand struct {
	secretSettings
	Name string `arg:"" help:"Name, as mayfly secrets list prints it."`
}

// Run deletes a secret.
func (cmd *deleteSecretCommand) Run(ctx context.Context, c console) error {
	return cmd.withSecrets(ctx, func(secrets *secret.Store) error {
		err := secrets.Delete(ctx, cmd.Tenant, cmd.Name)
		if errors.Is(err, secret.ErrNotFound) {
			return fmt.Errorf("there is no secret %q: mayfly secrets list prints the names", cmd.Name)
		}
		return err
	})
}

// environmentSecrets are those of mayfly run: variables of its environment.
type environmentSecrets struct{}

// Value implements execution.Secrets.
func (environmentSecrets) Value(_ context.Context, _, name string) (string, error) {
	if value := os.Getenv(name); value != "" {
		return value, nil
	}
	return "", secret.ErrNotFound
}
