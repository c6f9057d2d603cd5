package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"

	"mayfly/host/worker"
)

// tailCommand is mayfly tail.
type tailCommand struct {
	remoteSettings
	Tenant   string   `help:"Whose worker; default: that of the key, or of whoever needs none."`
	Name     string   `arg:"" help:"Name of the worker; its dynamic workers are seen, too."`
	Format   string   `help:"pretty for people, json for programs: one trace a line, as tail handlers get them." enum:"pretty,json" default:"pretty"`
	Outcome  []string `help:"Only events that came to this: ok, error, canceled, or an outcome as exceededCpu." placeholder:"OUTCOME"`
	Method   []string `help:"Only requests of this method." placeholder:"METHOD"`
	Search   string   `help:"Only events that logged or threw this text."`
	Header   string   `help:"Only requests that have this header, with this value." placeholder:"NAME[:VALUE]"`
	Sampling float64  `help:"Share of the events that is wanted, up to 1." placeholder:"SHARE"`
	Static   bool     `help:"No events of dynamic workers."`
	Limit    int      `help:"End after so many events." placeholder:"N"`
}

// maxTrace bounds a trace that is read, in bytes.
const maxTrace = 8 << 20

// Run prints events as they end.
func (cmd *tailCommand) Run(ctx context.Context, c console) error {
	server, err := cmd.open()
	if err != nil {
		return err
	}
	parameters := url.Values{}
	for name, value := range map[string]string{
		"tenant": cmd.Tenant, "outcome": strings.Join(cmd.Outcome, ","), "method": strings.Join(cmd.Method, ","), "search": cmd.Search, "header": cmd.Header,
	} {
		if value != "" {
			parameters.Set(name, value)
		}
	}
	if cmd.Sampling != 0 {
		parameters.Set("sampling", strconv.FormatFloat(cmd.Sampling, 'g', -1, 64))
	}
	if cmd.Static {
		parameters.Set("dynamic", "false")
	}
	path := "/v1/workers" + workerPath(cmd.Name, "logs")
	if len(parameters) > 0 {
		path += "?" + parameters.Encode()
	}
	body, err := server.stream(ctx, path, "application/x-ndjson")
	if err != nil {
		return err
	}
	defer body.Close()
	fmt.Fprintf(c.err, "Watching %s; end with Ctrl-C.\n", cmd.Name)
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxTrace)
	printer := &devLog{style: newTerminalStyle(c.out), w: c.out}
	for n := 0; (cmd.Limit == 0 || n < cmd.Limit) && lines.Scan(); {
		var head struct {
			Dropped int64 `json:"dropped"`
		}
		if err := json.Unmarshal(lines.Bytes(), &head); err != nil {
			return fmt.Errorf("the server's answer: %w", err)
		}
		if head.Dropped > 0 {
			fmt.Fprintf(c.err, "%d events were lost: they came faster than they could be sent\n", head.Dropped)
			continue
		}
		n++
		if cmd.Format == "json" {
			if _, err := fmt.Fprintf(c.out, "%s\n", lines.Bytes()); err != nil {
				return err
			}
			continue
		}
		t, err := readTrace(lines.Bytes())
		if err != nil {
			return fmt.Errorf("the server's answer: %w", err)
		}
		who := ""
		if _, id, dynamic := strings.Cut(t.Script, ":"); dynamic {
			who = printer.style.paint(colourFaint, "["+printable(cmp.Or(id, t.Script))+"] ")
		}
		for i := range t.Logs {
			printer.message(who, &t.Logs[i])
		}
		printer.ended(who, t)
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return nil
}

// readTrace reads a trace of a server.
func readTrace(b []byte) (*worker.Trace, error) {
	var event struct {
		Event json.RawMessage `json:"event"`
	}
	t := &worker.Trace{}
	if err := json.Unmarshal(b, t); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &event); err != nil {
		return nil, err
	}
	var kind struct {
		Request  *struct{} `json:"request"`
		Method   *string   `json:"rpcMethod"`
		Cron     *string   `json:"cron"`
		Consumed []any     `json:"consumedEvents"`
	}
	if len(event.Event) > 0 {
		if err := json.Unmarshal(event.Event, &kind); err != nil {
			return nil, err
		}
	}
	switch {
	case kind.Request != nil:
		t.Event = &worker.FetchTrace{}
	case kind.Method != nil:
		t.Event = &worker.CallTrace{}
	case kind.Cron != nil:
		t.Event = &worker.ScheduledTrace{}
	default:
		t.Event = &worker.TailTrace{}
	}
	if len(event.Event) > 0 {
		if err := json.Unmarshal(event.Event, t.Event); err != nil {
			return nil, err
		}
	}
	for i := range t.Logs {
		t.Logs[i].Text = consoleText(t.Logs[i].Message)
	}
	return t, nil
}

// consoleText shows the arguments of a message: texts as they are, the rest as
// JSON.
func consoleText(message json.RawMessage) string {
	var arguments []json.RawMessage
	if json.Unmarshal(message, &arguments) != nil {
		return string(message)
	}
	parts := make([]string, len(arguments))
	for i, a := range arguments {
		var text string
		if json.Unmarshal(a, &text) == nil && len(a) > 0 && a[0] == '"' {
			parts[i] = text
		} else {
			parts[i] = string(a)
		}
	}
	return strings.Join(parts, " ")
}
