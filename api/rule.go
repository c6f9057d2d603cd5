package api

import (
	"mayfly/host/egress"
	"mayfly/host/execution"
)

var (
	networkFields   = []string{"allow"}
	ruleFields      = []string{"host", "ports", "methods", "secret", "inject", "allow_http"}
	injectionFields = []string{"header", "query", "secret", "format"}
)

func (d *decoder) networkMember(name []byte) {
	mark := d.enterMember(name)
	if string(name) == "allow" {
		d.list("an array of rules", maxRules, d.rule)
	} else {
		d.unknown(name, networkFields)
	}
	d.pointer = d.pointer[:mark]
}

func (d *decoder) rule(int) {
	var rule execution.NetworkRule
	object := d.fields("a rule: an object with host, ports and methods", func(name []byte) {
		mark := d.enterMember(name)
		switch string(name) {
		case "host":
			d.text(&rule.Host)
		case "ports":
			rule.Ports = []int{}
			d.list("an array of ports", 1000, func(int) {
				n, ok := d.positive(65535)
				if ok {
					rule.Ports = append(rule.Ports, int(n))
				}
			})
		case "methods":
			rule.Methods = []string{}
			d.list("an array of methods", 100, func(int) { d.appendText(&rule.Methods) })
		case "secret": // the usual place
			bearer := execution.Injection{Header: "Authorization", Format: "Bearer {}"}
			d.text(&bearer.Secret)
			rule.Inject = append(rule.Inject, bearer)
		case "inject":
			d.list("an array of injections", egress.MaxInjections, func(int) { d.injection(&rule) })
		case "allow_http":
			d.flag(&rule.AllowHTTP)
		default:
			d.unknown(name, ruleFields)
		}
		d.pointer = d.pointer[:mark]
	})
	if object && rule.Host == "" {
		d.failAt(string(d.pointer)+"/host", "required: a host name, *.domain, *, an address or a CIDR block")
	}
	d.request.Network.Allow = append(d.request.Network.Allow, rule)
}

func (d *decoder) injection(rule *execution.NetworkRule) {
	var i execution.Injection
	d.fields("an injection: an object with header or query, and secret", func(name []byte) {
		mark := d.enterMember(name)
		switch string(name) {
		case "header":
			d.text(&i.Header)
		case "query":
			d.text(&i.Query)
		case "secret":
			d.text(&i.Secret)
		case "format":
			d.text(&i.Format)
		default:
			d.unknown(name, injectionFields)
		}
		d.pointer = d.pointer[:mark]
	})
	rule.Inject = append(rule.Inject, i)
}
