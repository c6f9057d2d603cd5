package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"
)

// workerSecretsCommand is mayfly workers secrets.
type workerSecretsCommand struct {
	Set    setWorkerSecretCommand    `cmd:"" help:"Set a secret of a worker to what standard input holds; its next events have it in env."`
	List   listWorkerSecretsCommand  `cmd:"" help:"List the names of a worker's secrets. Values can't be read."`
	Delete deleteWorkerSecretCommand `cmd:"" help:"Delete a secret of a worker."`
}

type setWorkerSecretCommand struct {
	workerSettings
	Name   string `arg:"" help:"Name of the worker."`
	Secret string `arg:"" help:"Name of the secret."`
}

// Run sets a secret.
func (cmd *setWorkerSecretCommand) Run(ctx context.Context, c console) error {
	value, err := readSecret(c, cmd.Secret)
	if err != nil {
		return err
	}
	return cmd.ask(ctx, http.MethodPut, workerPath(cmd.Name, "secrets", cmd.Secret), nil, map[string]string{"value": value}, nil)
}

type listWorkerSecretsCommand struct {
	workerSettings
	Name string `arg:"" help:"Name of the worker."`
}

// Run lists secrets.
func (cmd *listWorkerSecretsCommand) Run(ctx context.Context, c console) error {
	var raw json.RawMessage
	if err := cmd.ask(ctx, http.MethodGet, workerPath(cmd.Name, "secrets"), nil, nil, &raw); err != nil {
		return err
	}
	if cmd.JSON {
		_, err := fmt.Fprintf(c.out, "%s\n", raw)
		return err
	}
	var answer struct {
		Secrets []struct {
			Name    string
			Updated time.Time `json:"updated_at"`
		}
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSET")
	for _, s := range answer.Secrets {
		fmt.Fprintf(w, "%s\t%s\n", s.Name, s.Updated.Local().Format(time.DateTime))
	}
	return w.Flush()
}

type deleteWorkerSecretCommand struct {
	workerSettings
	Name   string `arg:"" help:"Name of the worker."`
	Secret string `arg:"" help:"Name of the secret."`
}

// Run deletes a secret.
func (cmd *deleteWorkerSecretCommand) Run(ctx context.Context, c console) error {
	return cmd.ask(ctx, http.MethodDelete, workerPath(cmd.Name, "secrets", cmd.Secret), nil, nil, nil)
}
