package execution

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"mayfly/host/packages"
	"mayfly/host/vfs"
)

// busyRetry is when it may be worth it to ask again for packages.
const busyRetry = 5 * time.Second

// maxStacks is how many file systems with packages are kept ready.
const maxStacks = 128

// languagePackages is where a language's packages come from.
type languagePackages struct {
	store *packages.Store

	mu     sync.Mutex
	stacks map[*vfs.Layer]*vfs.Layer // the guest's own files with those of packages
}

// AddPackages lets requests in a language ask for packages, from a store.
func (s *Service) AddPackages(name string, store *packages.Store) error {
	l := s.language(name)
	if l == nil {
		return fmt.Errorf("execution: no language %q", name)
	}
	l.packages.Store(&languagePackages{store: store, stacks: map[*vfs.Layer]*vfs.Layer{}})
	return nil
}

// checkPackages says what is wrong with the packages of a request.
func (l *language) checkPackages(r *Request) error {
	if len(r.Packages) == 0 {
		return nil
	}
	if !l.Dialect.packages {
		return &InvalidError{"/packages", "only Python has packages: bundle what a program of another language needs into it"}
	}
	p := l.packages.Load()
	if p == nil {
		if l.program() == nil {
			return nil // nobody knows yet, and nothing runs
		}
		return &InvalidError{"/packages", "this server adds no packages, unless its owner allows it (packages = true, or --packages)"}
	}
	return packagesError(p.store.Check(r.Packages))
}

// packagesError is an error of a store, for the request.
func packagesError(err error) error {
	var fault *packages.RequestError
	switch {
	case errors.As(err, &fault) && fault.Index >= 0:
		return &InvalidError{fmt.Sprintf("/packages/%d", fault.Index), fault.Reason}
	case errors.As(err, &fault):
		return &InvalidError{"/packages", fault.Reason}
	case errors.Is(err, packages.ErrBusy):
		return &OverloadError{RetryAfter: busyRetry, Tenant: true, Reason: "too many packages are being fetched"}
	}
	return err
}

// packageLayer is a layer of a request's packages; nil if it asks for none.
func (s *Service) packageLayer(ctx context.Context, l *language, r *Request, limits Limits, c *Cell) (*vfs.Layer, error) {
	p := l.packages.Load()
	if len(r.Packages) == 0 || p == nil {
		return nil, nil
	}
	wheel := func(name string) (content []byte, err error) {
		for i, f := range r.Files {
			if absolutePath(f.Path) != absolutePath(name) {
				continue
			}
			if f.Artifact != nil {
				return (&sandbox{service: s, request: r, limits: limits}).artifact(ctx, i, f.Artifact)
			}
			return f.Content, nil
		}
		if c == nil {
			return nil, vfs.ENOENT
		}
		err = c.From.View(func(files *vfs.Tree) error {
			content, err = files.Read(absolutePath(name))
			return err
		})
		return content, err
	}
	layer, err := p.store.Layer(ctx, r.Tenant, r.Packages, wheel)
	return layer, packagesError(err)
}

// mountPackages adds the request's packages to the files of a session, where
// they stay: they count as its own, and go where it goes.
func (b *sandbox) mountPackages(layer *vfs.Layer) error {
	tree := vfs.New(vfs.Options{Base: layer, Cwd: "/"})
	return tree.Walk("/", func(name string, info vfs.Info) error {
		if info.Kind != vfs.File {
			return nil
		}
		content, err := tree.Read(name)
		if err != nil {
			return err
		}
		if err := b.files.MountFile(path.Join(packages.MountPoint, name), content); err != nil {
			return &InvalidError{"/packages", fmt.Sprintf("the packages can't be mounted: %v", err)}
		}
		return nil
	})
}

// baseWith is the guest's own files with a layer of packages, read-only; nil is
// none.
func (l *language) baseWith(layer *vfs.Layer) *vfs.Layer {
	if layer == nil {
		return l.base()
	}
	p := l.packages.Load()
	p.mu.Lock()
	defer p.mu.Unlock()
	if stacked := p.stacks[layer]; stacked != nil {
		return stacked
	}
	if len(p.stacks) >= maxStacks {
		clear(p.stacks)
	}
	stacked := vfs.Stack(
		vfs.Mount{At: "/", Layer: l.base()},
		vfs.Mount{At: packages.MountPoint, Layer: layer, ReadOnly: true},
	)
	p.stacks[layer] = stacked
	return stacked
}
