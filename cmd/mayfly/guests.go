package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"text/tabwriter"
	"time"

	"mayfly/runtime/engine"
	"mayfly/runtime/isolate"
)

// guestsCommand is mayfly guests.
type guestsCommand struct {
	cacheSettings
	JSON bool `help:"Print JSON."`
}

// guestStatus is a prepared guest, as mayfly guests prints it.
type guestStatus struct {
	Name      string   `json:"name"`
	Languages []string `json:"languages"`
	Version   string   `json:"version"`
	Digest    string   `json:"digest"`
	Engine    string   `json:"engine"`
	TookMS    int64    `json:"took_ms"`
}

// Run prepares the guests that the cache lacks.
func (cmd *guestsCommand) Run(ctx context.Context, c console) error {
	e, err := engine.New(engine.Config{CacheDir: filepath.Join(cmd.Cache, "code")})
	if err != nil {
		return err
	}
	defer e.Close()
	progress, finish := newProgress(c.err)
	defer finish()
	var list []guestStatus
	for _, g := range guests {
		start := time.Now()
		p, err := isolate.Prepare(ctx, e, g.guest, cmd.Cache, progress)
		if err != nil {
			return err
		}
		if g.layer != nil {
			if _, err := g.layer(ctx, cmd.Cache, progress); err != nil {
				return err
			}
		}
		list = append(list, guestStatus{p.Name(), g.language.Names, g.language.Version, p.Digest(), engineName(e.Info()), time.Since(start).Milliseconds()})
		if err := p.Close(); err != nil {
			return err
		}
	}
	finish()
	if cmd.JSON {
		return json.NewEncoder(c.out).Encode(map[string]any{"guests": list})
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "GUEST\tLANGUAGES\tVERSION\tIMAGE\tENGINE\tREADY IN")
	for _, g := range list {
		fmt.Fprintf(w, "%s\t%v\t%s\t%.12s\t%s\t%d ms\n", g.Name, g.Languages, g.Version, g.Digest, g.Engine, g.TookMS)
	}
	return w.Flush()
}

func engineName(info engine.Info) string {
	if info.Tuned {
		return info.Name + " " + info.Version + " (tuned)"
	}
	return info.Name + " " + info.Version
}

// version is set by the linker; see the Makefile.
var version = "development"

// versionCommand is mayfly version.
type versionCommand struct {
	JSON bool `help:"Print JSON."`
}

// Run prints versions.
func (cmd *versionCommand) Run(c console) error {
	e, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	defer e.Close()
	info := map[string]string{"mayfly": version, "go": runtime.Version(), "engine": engineName(e.Info()), "platform": runtime.GOOS + "/" + runtime.GOARCH}
	for _, g := range guests {
		info[g.guest.Name()] = g.language.Version
	}
	if cmd.JSON {
		return json.NewEncoder(c.out).Encode(info)
	}
	fmt.Fprintf(c.out, "mayfly %s (%s, %s, %s", version, info["engine"], info["go"], info["platform"])
	for _, g := range guests {
		fmt.Fprintf(c.out, ", %s %s", g.guest.Name(), g.language.Version)
	}
	fmt.Fprintln(c.out, ")")
	return nil
}
