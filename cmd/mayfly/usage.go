package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
)

// usageCommand is mayfly usage.
type usageCommand struct {
	remoteSettings
	Tenant string   `help:"Whose usage; default: of the key, or of all."`
	From   string   `help:"Begin, as 2026-01-31 or 2026-01-31T12:00:00Z; default: of the month." placeholder:"TIME"`
	To     string   `help:"End; default: now." placeholder:"TIME"`
	Step   string   `help:"What a row is about: hour, day, month or all." enum:"hour,day,month,all" default:"day"`
	By     []string `help:"What rows are told apart by: tenant, parent (of dynamic workers), worker." default:"tenant,parent,worker" placeholder:"FIELD"`
	JSON   bool     `help:"Print JSON."`
}

// Run prints what was used.
func (cmd *usageCommand) Run(ctx context.Context, c console) error {
	server, err := cmd.open()
	if err != nil {
		return err
	}
	parameters := url.Values{"step": {cmd.Step}, "by": {strings.Join(cmd.By, ",")}}
	for name, value := range map[string]string{"tenant": cmd.Tenant, "from": cmd.From, "to": cmd.To} {
		if value != "" {
			parameters.Set(name, value)
		}
	}
	var raw json.RawMessage
	if _, err := server.ask(ctx, http.MethodGet, "/v1/usage?"+parameters.Encode(), nil, nil, &raw); err != nil {
		return err
	}
	if cmd.JSON {
		_, err := fmt.Fprintf(c.out, "%s\n", raw)
		return err
	}
	type amounts struct {
		Requests, Errors, Subrequests int64
		CPU                           float64 `json:"cpu_ms"`
		Dynamic                       int64   `json:"dynamic_workers"`
	}
	var answer struct {
		Usage []struct {
			Start, Tenant, Parent, Worker string
			amounts
		}
		Total amounts
		Cost  *struct {
			Currency string
			Total    float64
		}
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("the server's answer: %w", err)
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FROM\tTENANT\tWORKER\tREQUESTS\tERRORS\tSUBREQUESTS\tCPU MS\tDYNAMIC WORKERS")
	for _, r := range answer.Usage {
		who := r.Worker
		if r.Parent != "" {
			who = r.Parent + " (dynamic)"
		}
		if who == "" {
			who = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%.1f\t%d\n", r.Start, r.Tenant, who, r.Requests, r.Errors, r.Subrequests, r.CPU, r.Dynamic)
	}
	t := answer.Total
	fmt.Fprintf(w, "total\t\t\t%d\t%d\t%d\t%.1f\t%d\n", t.Requests, t.Errors, t.Subrequests, t.CPU, t.Dynamic)
	if err := w.Flush(); err != nil {
		return err
	}
	if answer.Cost != nil {
		fmt.Fprintf(c.out, "estimated cost: %.4f %s\n", answer.Cost.Total, answer.Cost.Currency)
	}
	return nil
}
