package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"mayfly/api"
	"mayfly/host/deployment"
	"mayfly/host/rpc"
	"mayfly/host/worker"
)

// handler answers requests: those for our own paths, and those for the workers,
// of which NAME.localhost is one, and everything else the first.
func (d *development) handler(life context.Context, address net.Addr) http.Handler {
	forwards := make([]http.Handler, len(d.all))
	for i, one := range d.all {
		forwards[i] = api.NewWorkerHandler(life, one.target, one.showError)
	}
	own, _, _ := net.SplitHostPort(address.String())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A page elsewhere could have its name lead here (DNS rebinding).
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		host = strings.Trim(strings.ToLower(host), "[]")
		name, local := strings.CutSuffix(host, ".localhost")
		if host != "localhost" && host != own && host != "127.0.0.1" && host != "::1" && !local {
			http.Error(w, fmt.Sprintf("%q is not served here", r.Host), http.StatusForbidden)
			return
		}
		which := 0
		for i, one := range d.all {
			if local && one.workerName() == name {
				which = i
				break
			}
		}
		// The script is of the build there is now: who answers may be a later one.
		page := &reloadingWriter{ResponseWriter: w, script: d.reloads.script(), head: r.Method == http.MethodHead}
		switch r.URL.Path {
		case devEvents:
			d.reloads.ServeHTTP(w, r)
			return
		case devScript:
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			_, _ = io.WriteString(w, reloadScript) // the client may be gone
			return
		case "/cdn-cgi/handler/scheduled", "/__scheduled":
			d.all[which].scheduled(page, r)
			return
		}
		defer page.finish()
		forwards[which].ServeHTTP(page, r)
	})
}

// target is what answers requests: the worker of the last build, and the files.
func (d *development) target(ctx context.Context) (rpc.Target, error) {
	w, _, err := d.ready(ctx)
	if err != nil {
		return nil, err
	}
	var target rpc.Target
	if w != nil {
		target = w.Entrypoint("", rpc.Value{}, worker.Limits{})
	}
	d.mu.Lock()
	files, rules := d.files, d.assets
	d.mu.Unlock()
	if files != nil {
		served, err := files.served(rules)
		if err != nil {
			return nil, err
		}
		target, _, err = deployment.Front(files, served, target)
		return target, err
	}
	return target, nil
}

// scheduled has the worker's scheduled handler run, for a cron that the query
// names.
func (d *development) scheduled(w http.ResponseWriter, r *http.Request) {
	current, _, err := d.ready(r.Context())
	if err == nil && current == nil {
		err = errors.New("there is no worker")
	}
	if err == nil {
		err = current.Entrypoint("", rpc.Value{}, worker.Limits{}).Scheduled(r.Context(), time.Now(), cmp.Or(r.URL.Query().Get("cron"), "* * * * *"))
	}
	if err != nil {
		d.showError(w, r, err)
		return
	}
	_, _ = io.WriteString(w, "Ran scheduled event\n") // the client may be gone
}
