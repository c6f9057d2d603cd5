package api

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mayfly/host/execution"
	"mayfly/host/secret"
	"mayfly/storage/meta"
)

func withSecretStore(t *testing.T) func(*Options) {
	records, err := meta.Open(t.Context(), filepath.Join(t.TempDir(), "secrets.db"), meta.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { records.Close(t.Context()) })
	store, err := secret.New(records, make([]byte, secret.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return func(o *Options) { o.Secrets = store }
}

func TestSecrets(t *testing.T) {
	s := newTestServer(t, withSecretStore(t))
	s.do("GET", "/v1/secrets/KEY", "").want(404)
	put := s.do("PUT", "/v1/secrets/KEY", `{"value":"one-canary"}`).want(200)
	if strings.Contains(string(put.body), "canary") || !strings.Contains(string(put.body), `"name":"KEY"`) {
		t.Errorf("put: %s", put.body)
	}
	if again := s.do("GET", "/v1/secrets/KEY", "").want(200); string(again.body) != string(put.body) {
		t.Errorf("get: %s", again.body)
	}
	s.do("PUT", "/v1/secrets/OTHER?tenant=other", `{"value":"two-canary"}`).want(200)
	if list := s.do("GET", "/v1/secrets", "").want(200); string(list.body) != `{"secrets":[`+string(put.body)+`]}` {
		t.Errorf("list: %s", list.body)
	}
	value, err := s.options.Secrets.(*secret.Store).Value(t.Context(), "other", "OTHER")
	if value != "two-canary" || err != nil {
		t.Errorf("stored %q, %v", value, err)
	}
	s.do("DELETE", "/v1/secrets/OTHER", "").want(404)
	s.do("DELETE", "/v1/secrets/KEY", "").want(204)
	s.do("DELETE", "/v1/secrets/KEY", "").want(404)
}

func TestInvalidSecrets(t *testing.T) {
	s := newTestServer(t, withSecretStore(t))
	for _, c := range []struct{ target, body, want string }{
		{"/v1/secrets/1A", `{"value":"x"}`, "name: a secret's name has"},
		{"/v1/secrets/A-B", `{"value":"x"}`, "name: a secret's name has"},
		{"/v1/secrets/A", `{"value":""}`, "/value: a secret's value has 1 to 32768 bytes"},
		{"/v1/secrets/A", `{"value":"` + strings.Repeat("x", secret.MaxValue+1) + `"}`, "/value: a secret's value has"},
		{"/v1/secrets/A", `{}`, "/value: required"},
		{"/v1/secrets/A", `{"value":1}`, "/value: expected a string, not number"},
		{"/v1/secrets/A", `{"value":"a","value":"b"}`, "/value: is given twice"},
		{"/v1/secrets/A", `{"valeu":"a"}`, "/valeu: unknown field; did you mean value?"},
		{"/v1/secrets/A", `[]`, ": expected an object with value, not array"},
		{"/v1/secrets/A?tenant=a%20b", `{"value":"x"}`, "tenant: is not the name of a tenant"},
		{"/v1/secrets/A?secret=1", `{"value":"x"}`, "secret: unknown parameter"},
	} {
		var p Problem
		if err := json.Unmarshal(s.do("PUT", c.target, c.body).problem(invalidRequest).body, &p); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range p.Errors {
			got = append(got, e.Pointer+": "+e.Detail)
		}
		if !slices.ContainsFunc(got, func(e string) bool { return strings.HasPrefix(e, c.want) }) {
			t.Errorf("%s %.40s: %q", c.target, c.body, got)
		}
	}
	s.do("PUT", "/v1/secrets/A", `{"value":"x"`).want(400)
	newTestServer(t, nil).do("GET", "/v1/secrets", "").want(404)
}

// A key reaches the secrets of its tenant alone.
func TestSecretsOfTenants(t *testing.T) {
	change := withSecretStore(t)
	s := newTestServer(t, func(o *Options) { change(o); o.RequireKeys = true })
	token := func(tenant string) string {
		_, token, err := s.options.Store.(meta.Keys).CreateKey(t.Context(), tenant, tenant, s.options.Now().Add(1<<40))
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + token
	}
	a, b := token("a"), token("b")
	s.do("PUT", "/v1/secrets/KEY", `{"value":"x"}`).want(401)
	s.do("PUT", "/v1/secrets/KEY", `{"value":"x"}`, "Authorization", a).want(200)
	s.do("GET", "/v1/secrets/KEY", "", "Authorization", b).want(404)
	s.do("GET", "/v1/secrets/KEY?tenant=a", "", "Authorization", b).want(400)
	s.do("DELETE", "/v1/secrets/KEY", "", "Authorization", b).want(404)
	s.do("GET", "/v1/secrets/KEY", "", "Authorization", a).want(200)
}

// A session answers the rules that it was made with, by the names of secrets.
func TestRulesWithSecrets(t *testing.T) {
	f := &fakeSessions{}
	s := newTestServer(t, withSessions(f))
	rules := `{"allow":[{"host":"a.example","inject":[{"header":"Authorization","secret":"KEY","format":"Bearer {}"},{"query":"k","secret":"K2"}],"allow_http":true}]}`
	given := strings.Replace(rules, `"inject":[{"header":"Authorization","secret":"KEY","format":"Bearer {}"},`, `"secret":"KEY","inject":[`, 1)
	created := s.do("POST", "/v1/sessions", `{"language":"javascript","network":`+given+`}`).want(201)
	if !strings.Contains(string(created.body), `"network":`+rules) {
		t.Errorf("the session: %s", created.body)
	}
	want := []execution.Injection{{Header: "Authorization", Secret: "KEY", Format: "Bearer {}"}, {Query: "k", Secret: "K2"}}
	if got := f.created[0].Network.Allow[0]; !slices.Equal(got.Inject, want) || !got.AllowHTTP {
		t.Errorf("got %+v", got)
	}
}
