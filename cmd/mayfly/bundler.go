package main

import (
	"path/filepath"

	"mayfly/guests/quickjs"
	"mayfly/host/bundle"
)

// bundlerSettings say whether workers may bundle at run time.
type bundlerSettings struct {
	Bundler bool `help:"Let workers bundle source files at run time, as @cloudflare/worker-bundler does." env:"MAYFLY_BUNDLER"`
	Npm     bool `help:"Let them use npm packages, too, which npm fetches from the index that it is configured with; implies --bundler." env:"MAYFLY_NPM"`
}

// bundler makes bundles for workers; nil: it is not wanted.
func (s *bundlerSettings) bundler(cache string) (*bundle.Creator, error) {
	if !s.Bundler && !s.Npm {
		return nil, nil
	}
	var packages *bundle.Packages
	if s.Npm {
		var err error
		if packages, err = bundle.NewPackages(bundle.PackagesConfig{Folder: filepath.Join(cache, "npm")}); err != nil {
			return nil, err
		}
	}
	var command []string
	if executable != "" {
		command = []string{executable, "transform"}
	}
	return bundle.NewCreator(command, quickjs.Builtin, packages), nil
}
