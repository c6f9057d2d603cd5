package main

import (
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/alecthomas/kong"
)

// configCommand is mayfly config. It has the settings of the other commands,
// so that it reads them as they do.
type configCommand struct {
	engineSettings
	limitSettings
	serverSettings
	JSON bool `help:"Print JSON."`
}

// Run prints every setting, its value and where that comes from.
func (cmd *configCommand) Run(c console, parsed *kong.Context) error {
	type setting struct {
		Name   string `json:"name"`
		Value  any    `json:"value"`
		Source string `json:"source"`
		Env    string `json:"environment"`
	}
	given := map[string]bool{}
	fromFile := map[string]bool{}
	for _, p := range parsed.Path {
		if p.Flag != nil {
			if p.Resolved {
				fromFile[p.Flag.Name] = true
			} else {
				given[p.Flag.Name] = true
			}
		}
	}
	var list []setting
	for _, f := range parsed.Selected().Flags {
		if len(f.Envs) == 0 {
			continue // how to print, not what is in force
		}
		s := setting{Name: f.Name, Value: f.Target.Interface(), Source: "default", Env: f.Envs[0]}
		if v, ok := s.Value.(fmt.Stringer); ok {
			s.Value = v.String()
		}
		_, inEnv := os.LookupEnv(f.Envs[0])
		switch {
		case given[f.Name]:
			s.Source = "flag"
		case inEnv:
			s.Source = "environment"
		case fromFile[f.Name]:
			s.Source = "file"
		}
		list = append(list, s)
	}
	if cmd.JSON {
		return json.NewEncoder(c.out).Encode(map[string]any{"settings": list})
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SETTING\tVALUE\tFROM\tENVIRONMENT")
	for _, s := range list {
		fmt.Fprintf(w, "%s\t%v\t%s\t%s\n", s.Name, s.Value, s.Source, s.Env)
	}
	return w.Flush()
}
