package api

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"

	"mayfly/host/binding"
	"mayfly/host/execution"
)

// maxBindings bounds the bindings of one request.
const maxBindings = 100

var (
	bindingFields      = []string{"type", "bucket", "namespace", "prefix", "read_only", "value", "secret", "network", "base_url", "files", "limits"}
	bindingLimitFields = []string{"operations", "read_bytes", "write_bytes"}
)

// bindingMembers are the members that each type of binding has besides its type.
var bindingMembers = map[string][]string{
	binding.KindR2:      {"bucket", "prefix", "read_only", "limits"},
	binding.KindKV:      {"namespace", "prefix", "read_only", "limits"},
	binding.KindVar:     {"value"},
	binding.KindSecret:  {"secret"},
	binding.KindFetcher: {"network", "base_url", "limits"},
	binding.KindAssets:  {"files", "bucket", "prefix", "limits"},
}

// bindings reads the member of that name: an object of bindings by name.
func (d *decoder) bindings() {
	d.fields("an object of bindings by name", func(name []byte) {
		mark := d.enterMember(name)
		defer func() { d.pointer = d.pointer[:mark] }()
		if len(d.request.Bindings) == maxBindings {
			d.failAt(string(d.pointer[:mark]), fmt.Sprintf("must not have more than %d members", maxBindings))
			d.skip()
			return
		}
		for i := range d.request.Bindings {
			if d.request.Bindings[i].Name == string(name) {
				d.fail("is given twice")
			}
		}
		b := execution.Binding{Name: string(name)}
		d.binding(&b)
		d.request.Bindings = append(d.request.Bindings, b)
	})
}

func (d *decoder) binding(b *execution.Binding) {
	seen := map[string]bool{}
	object := d.fields("a binding: an object with type", func(name []byte) {
		mark := d.enterMember(name)
		defer func() { d.pointer = d.pointer[:mark] }()
		member := string(name)
		if seen[member] {
			d.fail("is given twice")
			d.skip()
			return
		}
		seen[member] = true
		switch member {
		case "type":
			d.text(&b.Type)
		case "bucket":
			d.text(&b.Bucket)
		case "namespace":
			d.text(&b.Namespace)
		case "prefix":
			d.text(&b.Prefix)
		case "read_only":
			d.flag(&b.ReadOnly)
		case "value":
			b.Value = bytes.Clone(d.raw())
		case "secret":
			d.text(&b.Secret)
		case "network":
			// The rules are read as the request's own are.
			own := d.request.Network
			d.request.Network = execution.Network{}
			d.fields("an object", d.networkMember)
			b.Network, d.request.Network = d.request.Network, own
		case "base_url":
			d.text(&b.BaseURL)
		case "files":
			d.text(&b.Files)
		case "limits":
			d.fields("an object of limits", func(name []byte) { d.bindingLimit(&b.Limits, name) })
		default:
			delete(seen, member)
			d.unknown(name, bindingFields)
		}
	})
	if !object {
		return
	}
	if !seen["type"] {
		d.failAt(string(d.pointer)+"/type", "required: r2_bucket, kv_namespace, var, secret, fetcher or assets")
		return
	}
	members, known := bindingMembers[b.Type]
	if !known {
		return // which execution says better
	}
	for _, member := range bindingFields[1:] {
		if seen[member] && !slices.Contains(members, member) {
			d.failAt(string(d.pointer)+"/"+member, "is no member of a binding of type "+b.Type)
		}
	}
}

func (d *decoder) bindingLimit(l *binding.Limits, name []byte) {
	mark := d.enterMember(name)
	switch string(name) {
	case "operations":
		n, _ := d.positive(math.MaxInt32)
		l.Operations = int(n)
	case "read_bytes":
		l.ReadBytes, _ = d.positive(math.MaxInt64)
	case "write_bytes":
		l.WriteBytes, _ = d.positive(math.MaxInt64)
	default:
		d.unknown(name, bindingLimitFields)
	}
	d.pointer = d.pointer[:mark]
}

// appendBindings appends bindings as they were asked for.
func appendBindings(b []byte, list []execution.Binding) []byte {
	b = append(b, '{')
	for i := range list {
		x := &list[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, x.Name), `:{"type":`...)
		b = appendString(b, x.Type)
		for _, member := range bindingMembers[x.Type] {
			b = appendBindingMember(b, x, member)
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendBindingMember(b []byte, x *execution.Binding, member string) []byte {
	name := func() { b = append(appendString(append(b, ','), member), ':') }
	text := map[string]string{"bucket": x.Bucket, "namespace": x.Namespace, "prefix": x.Prefix, "secret": x.Secret, "base_url": x.BaseURL, "files": x.Files}[member]
	switch {
	case text != "":
		name()
		b = appendString(b, text)
	case member == "read_only" && x.ReadOnly:
		name()
		b = append(b, "true"...)
	case member == "value":
		name()
		b = append(b, x.Value...)
	case member == "network":
		name()
		b = appendNetwork(b, &x.Network)
	case member == "limits" && x.Limits != (binding.Limits{}):
		name()
		b = append(b, '{')
		for _, l := range []struct {
			name  string
			value int64
		}{{"operations", int64(x.Limits.Operations)}, {"read_bytes", x.Limits.ReadBytes}, {"write_bytes", x.Limits.WriteBytes}} {
			if l.value == 0 {
				continue
			}
			if b[len(b)-1] != '{' {
				b = append(b, ',')
			}
			b = append(appendString(b, l.name), ':')
			b = strconv.AppendInt(b, l.value, 10)
		}
		b = append(b, '}')
	}
	return b
}
