package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/oasdiff/yaml3"
)

// loadSpecification reads openapi.yaml.
func loadSpecification(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(specificationYAML)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestSpecificationIsValid(t *testing.T) {
	doc := loadSpecification(t)
	if err := doc.Validate(t.Context(), openapi3.IsOpenAPI31OrLater(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatalf("version %s", doc.OpenAPI)
	}
}

// TestSpecificationJSON holds openapi.json against openapi.yaml, and renews it
// if MAYFLY_UPDATE is set.
func TestSpecificationJSON(t *testing.T) {
	var node yaml.Node
	if err := yaml.Unmarshal(specificationYAML, &node); err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	writeNode(t, &compact, node.Content[0])
	var want bytes.Buffer
	if err := json.Indent(&want, compact.Bytes(), "", "  "); err != nil {
		t.Fatal(err)
	}
	want.WriteByte('\n')
	if os.Getenv("MAYFLY_UPDATE") != "" {
		if err := os.WriteFile("openapi.json", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(specificationJSON, want.Bytes()) {
		t.Fatal("openapi.json is not openapi.yaml in JSON: run go generate ./api")
	}
}

// writeNode writes a YAML node as JSON and keeps the order of its members.
func writeNode(t *testing.T, out *bytes.Buffer, n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		out.WriteByte('{')
		for i := 0; i < len(n.Content); i += 2 {
			if i > 0 {
				out.WriteByte(',')
			}
			name, _ := json.Marshal(n.Content[i].Value)
			out.Write(name)
			out.WriteByte(':')
			writeNode(t, out, n.Content[i+1])
		}
		out.WriteByte('}')
	case yaml.SequenceNode:
		out.WriteByte('[')
		for i, one := range n.Content {
			if i > 0 {
				out.WriteByte(',')
			}
			writeNode(t, out, one)
		}
		out.WriteByte(']')
	case yaml.ScalarNode:
		var v any
		if err := n.Decode(&v); err != nil {
			t.Fatal(err)
		}
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
	default:
		t.Fatalf("line %d: a node of kind %d has no form in JSON", n.Line, n.Kind)
	}
}

// Every route is specified, and everything that is specified has a route.
func TestSpecificationHasTheRoutes(t *testing.T) {
	s := newTestServer(t, nil)
	var specified, routed []string
	for path, item := range loadSpecification(t).Paths.Map() {
		for method := range item.Operations() {
			if method != http.MethodHead { // as GET, but where only that matters
				specified = append(specified, method+" "+path)
			}
		}
	}
	for _, route := range s.echo.Routes() {
		if route.Method == http.MethodHead {
			continue // as GET
		}
		path := strings.NewReplacer(":id", "{id}", ":name", "{name}", ":sha256", "{sha256}", ":secret", "{secret}", ":version", "{version}", "*", "{name}").Replace(route.Path)
		routed = append(routed, route.Method+" "+path)
	}
	sort.Strings(specified)
	sort.Strings(routed)
	if !slices.Equal(specified, routed) {
		t.Fatalf("specified:\n%s\nrouted:\n%s", strings.Join(specified, "\n"), strings.Join(routed, "\n"))
	}
}

func TestSpecificationHasTheProblems(t *testing.T) {
	schema := loadSpecification(t).Components.Schemas["ProblemType"].Value
	var specified, known []string
	for _, v := range schema.Enum {
		specified = append(specified, v.(string))
	}
	for kind := range problemKinds {
		known = append(known, problemTypePrefix+string(kind))
	}
	sort.Strings(specified)
	sort.Strings(known)
	if !slices.Equal(specified, known) {
		t.Fatalf("specified: %v\nknown: %v", specified, known)
	}
}

// The fields that the decoder knows are those of the specification.
func TestSpecificationHasTheFields(t *testing.T) {
	schemas := loadSpecification(t).Components.Schemas
	request := schemas["ExecutionRequest"].Value
	for _, c := range []struct {
		name   string
		schema *openapi3.Schema
		fields []string
	}{
		{"request", request, requestFields},
		{"file", schemas["File"].Value, fileFields},
		{"artifact of a file", schemas["File"].Value.Properties["artifact"].Value, refFields},
		{"limits", schemas["Limits"].Value, limitFields},
		{"network", schemas["Network"].Value, networkFields},
		{"rule", schemas["NetworkRule"].Value, ruleFields},
		{"injection", schemas["Injection"].Value, injectionFields},
		{"artifacts", request.Properties["artifacts"].Value, artifactFields},
		{"export", schemas["ArtifactOptions"].Value.Properties["export"].Value, exportFields},
	} {
		var specified []string
		for name := range c.schema.Properties {
			specified = append(specified, name)
		}
		known := slices.Clone(c.fields)
		sort.Strings(specified)
		sort.Strings(known)
		if !slices.Equal(specified, known) {
			t.Errorf("%s: specified %v, known %v", c.name, specified, known)
		}
	}
}
