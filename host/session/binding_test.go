package session_test

import (
	"encoding/json"
	"testing"

	"mayfly/host/binding"
	"mayfly/host/execution"
	"mayfly/host/session"
)

// A session's bindings are every cell's, beside those that a cell brings; forks
// and restarts keep them.
func TestBindings(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	value := func(name, encoded string) execution.Binding {
		return execution.Binding{Name: name, Type: binding.KindVar, Value: json.RawMessage(encoded)}
	}
	site := execution.Binding{Name: "SITE", Type: binding.KindAssets, Files: "site"}
	id := s.create(session.Options{Bindings: []execution.Binding{value("A", "1"), value("B", `{"x":2}`), site}, Files: []execution.File{{Path: "site/index.html", Content: []byte("home")}}})
	s.want(id, "const site = env.SITE; [env.A, env.B.x]", "[1,2]")
	s.want(id, "import { env as e } from 'cloudflare:workers'; [e === env, await (await site.fetch('/')).text()]", `[true,"home"]`)
	own := s.execute(id, execution.Request{Code: "[env.A, env.B.x, env.C]", Bindings: []execution.Binding{value("A", "10"), value("C", "30")}})
	if string(own.Value) != "[10,2,30]" {
		t.Errorf("with its own: %s %v", own.Value, own.Error)
	}
	s.want(id, "[env.A, typeof env.C]", `[1,"undefined"]`)
	fork, err := s.Fork(t.Context(), "t", id, nil)
	if err != nil {
		t.Fatal(err)
	}
	s = s.again()
	for _, id := range []string{id, fork.ID} {
		s.want(id, "[env.A, env.B.x, await (await site.fetch('/')).text()]", `[1,2,"home"]`)
	}
	info, err := s.Restart(t.Context(), "t", id)
	if err != nil || len(info.Bindings) != 3 {
		t.Errorf("%+v, %v", info.Bindings, err)
	}
	s.want(id, "env.A", "1")
	if _, err := s.Create(t.Context(), session.Options{Tenant: "t", Language: "javascript", Bindings: []execution.Binding{{Name: "X", Type: "nothing"}}}); err == nil {
		t.Error("a session with a binding that is not there was made")
	}
}
