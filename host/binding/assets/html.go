package assets

import (
	"context"
	"net/url"
	"path"
	"strings"

	"mayfly/host/binding"
)

// Options say how pages are found, in the words of Workers' static assets
// (https://developers.cloudflare.com/workers/static-assets/routing/).
type Options struct {
	HTML     string // HTMLAuto if empty
	NotFound string // NotFoundPage if empty
	Rules    *Rules // nil: none
}

// Ways of finding pages.
const (
	HTMLAuto  = "auto-trailing-slash"
	HTMLForce = "force-trailing-slash"
	HTMLDrop  = "drop-trailing-slash"
	HTMLNone  = "none"
)

// Ways of answering for what is not there.
const (
	NotFoundNone = "none"
	NotFoundPage = "404-page"
	NotFoundSPA  = "single-page-application"
)

// NewWith makes the binding with options.
func NewWith(source Source, options Options) *Assets {
	if options.NotFound == "" {
		options.NotFound = NotFoundPage
	}
	return &Assets{source, options}
}

var _ binding.Binding = (*Assets)(nil)

// find looks for the file of a path: itself, its page, or its index; or where
// they are rather to be asked for.
func (a *Assets) find(ctx context.Context, asked string) (name string, file *File, redirect string, err error) {
	decoded, err := url.PathUnescape(asked)
	if err != nil || strings.IndexByte(decoded, 0) >= 0 {
		return "", nil, "", nil
	}
	for segment := range strings.SplitSeq(decoded, "/") {
		if segment == ".." || segment == "." {
			return "", nil, "", nil
		}
	}
	clean := strings.TrimPrefix(path.Clean("/"+decoded), "/")
	slash := clean == "" || strings.HasSuffix(decoded, "/")
	exact := func(name string) (*File, error) { return a.source.Find(ctx, name) }
	to := func(p string) string { return (&url.URL{Path: "/" + p}).EscapedPath() }
	if !slash {
		if file, err = exact(clean); err != nil || file != nil {
			if file != nil && a.options.HTML != HTMLNone && a.options.HTML != "" {
				// A page has one address.
				if base, ok := strings.CutSuffix(clean, "/index.html"); ok || clean == "index.html" {
					if clean == "index.html" {
						base = ""
					}
					return clean, nil, a.address(to, base, true), nil
				}
				if base, ok := strings.CutSuffix(clean, ".html"); ok {
					return clean, nil, a.address(to, base, false), nil
				}
			}
			return clean, file, "", err
		}
	}
	if a.options.HTML == HTMLNone {
		return clean, nil, "", nil
	}
	page, index := clean+".html", strings.TrimPrefix(clean+"/index.html", "/")
	if clean == "" {
		file, err = exact(index)
		return index, file, "", err
	}
	for _, c := range []struct {
		name    string
		isIndex bool
	}{{page, false}, {index, true}} {
		if file, err = exact(c.name); err != nil {
			return c.name, nil, "", err
		}
		if file == nil {
			continue
		}
		if want := a.address(to, clean, c.isIndex); want != to(strings.TrimSuffix(clean, "/"))+slashOf(slash) {
			return c.name, nil, want, nil
		}
		return c.name, file, "", nil
	}
	return clean, nil, "", nil
}

func slashOf(slash bool) string {
	if slash {
		return "/"
	}
	return ""
}

// address is the one address of a page.
func (a *Assets) address(to func(string) string, base string, isIndex bool) string {
	slash := isIndex
	switch a.options.HTML {
	case HTMLForce:
		slash = true
	case HTMLDrop:
		slash = base == ""
	}
	if base == "" {
		return "/"
	}
	return to(base) + slashOf(slash)
}
