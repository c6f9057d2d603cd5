package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"mayfly/storage/meta"
)

// keysCommand is mayfly keys.
type keysCommand struct {
	Create createKeyCommand `cmd:"" help:"Create a key; its token is printed once."`
	List   listKeysCommand  `cmd:"" help:"List the keys."`
	Revoke revokeKeyCommand `cmd:"" help:"Revoke a key; running servers heed it within a second."`
}

func newSecret() []byte {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}

// keySettings are shared by the commands of keys.
type keySettings struct {
	dataSettings
	JSON bool `help:"Print JSON."`
}

// withKeys opens the records of a server for f.
func (s *keySettings) withKeys(ctx context.Context, f func(meta.Keys) error) error {
	store, err := s.openMeta(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(store), store.Close(context.WithoutCancel(ctx)))
}

type createKeyCommand struct {
	keySettings
	Name    string        `arg:"" help:"What the key is for."`
	Tenant  string        `help:"Tenant whose share the key uses; default: the key's name."`
	Expires time.Duration `help:"How long the key is good for; 0: for ever." default:"0s"`
}

// Run creates a key.
func (cmd *createKeyCommand) Run(ctx context.Context, c console) error {
	if strings.TrimSpace(cmd.Name) == "" {
		return usageError{errors.New("a key needs a name that says what it is for")}
	}
	return cmd.withKeys(ctx, func(keys meta.Keys) error {
		if cmd.Tenant == "" {
			cmd.Tenant = cmd.Name
		}
		var expires time.Time
		if cmd.Expires > 0 {
			expires = time.Now().Add(cmd.Expires)
		}
		key, token, err := keys.CreateKey(ctx, cmd.Name, cmd.Tenant, expires)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return json.NewEncoder(c.out).Encode(map[string]string{"id": key.ID, "name": key.Name, "tenant": key.Tenant, "token": token})
		}
		fmt.Fprintln(c.out, token)
		fmt.Fprintf(c.err, "Key %s for tenant %s. The token is not shown again; send it as Authorization: Bearer …\n", key.ID, key.Tenant)
		return nil
	})
}

type listKeysCommand struct{ keySettings }

// Run lists keys.
func (cmd *listKeysCommand) Run(ctx context.Context, c console) error {
	return cmd.withKeys(ctx, func(keys meta.Keys) error {
		list, err := keys.Keys(ctx)
		if err != nil {
			return err
		}
		if cmd.JSON {
			type key struct {
				ID       string    `json:"id"`
				Name     string    `json:"name"`
				Tenant   string    `json:"tenant"`
				Created  time.Time `json:"created_at"`
				LastUsed time.Time `json:"last_used_at,omitzero"`
				Expires  time.Time `json:"expires_at,omitzero"`
				Revoked  time.Time `json:"revoked_at,omitzero"`
			}
			out := []key{}
			for _, k := range list {
				out = append(out, key{k.ID, k.Name, k.Tenant, k.CreatedAt, k.LastUsed, k.ExpiresAt, k.RevokedAt})
			}
			return json.NewEncoder(c.out).Encode(map[string]any{"keys": out})
		}
		w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tNAME\tTENANT\tCREATED\tLAST USED\tSTATE")
		for _, k := range list {
			state := "valid"
			switch {
			case !k.RevokedAt.IsZero():
				state = "revoked"
			case !k.ExpiresAt.IsZero() && time.Now().After(k.ExpiresAt):
				state = "expired"
			case !k.ExpiresAt.IsZero():
				state = "until " + k.ExpiresAt.Format(time.DateTime)
			}
			used := "never"
			if !k.LastUsed.IsZero() {
				used = k.LastUsed.Format(time.DateTime)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, k.Tenant, k.CreatedAt.Format(time.DateTime), used, state)
		}
		return w.Flush()
	})
}

type revokeKeyCommand struct {
	keySettings
	ID string `arg:"" help:"Id of the key, as mayfly keys list prints it."`
}

// Run revokes a key.
func (cmd *revokeKeyCommand) Run(ctx context.Context, c console) error {
	return cmd.withKeys(ctx, func(keys meta.Keys) error {
		err := keys.RevokeKey(ctx, cmd.ID)
		if errors.Is(err, meta.ErrNotFound) {
			return fmt.Errorf("there is no key %q: mayfly keys list prints the ids", cmd.ID)
		}
		return err
	})
}
