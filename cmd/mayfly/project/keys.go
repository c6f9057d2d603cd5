package project

// A key of the configuration.
type key struct {
	name string
	// inherited by environments that don't have it themselves.
	inherited bool
	// topLevel keys are not looked at in environments.
	topLevel bool
	// read takes the value; nil: the key changes nothing here, or unsupported
	// says so.
	read func(*reader, *value, string)
	// unsupported says what is missing, for a warning.
	unsupported string
}

const (
	noBinding = "it is not supported yet: env will not have it"
	noEffect  = "it is not supported yet, and has no effect"
)

// keys are those that wrangler knows, and ours.
var keys []key

func init() {
	inherited := func(name string, read func(*reader, *value, string)) {
		keys = append(keys, key{name: name, inherited: true, read: read})
	}
	own := func(name string, read func(*reader, *value, string)) {
		keys = append(keys, key{name: name, read: read})
	}
	top := func(name string, read func(*reader, *value, string)) {
		keys = append(keys, key{name: name, topLevel: true, read: read})
	}
	inherited("name", (*reader).name)
	inherited("main", (*reader).main)
	inherited("compatibility_date", (*reader).compatibilityDate)
	inherited("compatibility_flags", func(r *reader, v *value, f string) { r.config.CompatibilityFlags = r.texts(v, f) })
	inherited("triggers", (*reader).triggers)
	inherited("limits", (*reader).limits)
	inherited("isolation", (*reader).isolation)
	inherited("rules", (*reader).rules)
	inherited("assets", (*reader).assets)
	inherited("route", (*reader).route)
	inherited("routes", (*reader).routes)
	inherited("build", (*reader).build)
	inherited("tsconfig", func(r *reader, v *value, f string) { r.text(v, f, &r.config.TSConfig) })
	inherited("jsx_factory", func(r *reader, v *value, f string) { r.text(v, f, &r.config.JSXFactory) })
	inherited("jsx_fragment", func(r *reader, v *value, f string) { r.text(v, f, &r.config.JSXFragment) })
	inherited("minify", func(r *reader, v *value, f string) { r.flag(v, f, &r.config.Minify) })
	inherited("keep_names", func(r *reader, v *value, f string) { r.flag(v, f, &r.config.KeepNames) })
	inherited("no_bundle", func(r *reader, v *value, f string) { r.flag(v, f, &r.config.NoBundle) })
	inherited("find_additional_modules", (*reader).findAdditionalModules)
	inherited("preserve_file_names", func(r *reader, v *value, f string) { r.flag(v, f, &r.config.PreserveFileNames) })
	inherited("base_dir", func(r *reader, v *value, f string) { r.text(v, f, &r.config.BaseDir) })
	inherited("upload_source_maps", func(r *reader, v *value, f string) { r.flag(v, f, &r.config.SourceMaps) })

	own("define", func(r *reader, v *value, f string) { r.config.Define = r.textsByName(v, f) })
	own("vars", (*reader).vars)
	own("secrets", (*reader).secrets)
	own("r2_buckets", (*reader).r2)
	own("kv_namespaces", (*reader).kv)
	own("services", (*reader).services)
	own("worker_loaders", (*reader).loaders)
	own("tail_consumers", (*reader).tails)

	top("$schema", nil)
	top("env", nil) // is read first
	top("alias", func(r *reader, v *value, f string) { r.config.Alias = r.textsByName(v, f) })
	top("keep_vars", func(r *reader, v *value, f string) { r.flag(v, f, &r.config.KeepVars) })
	top("dev", (*reader).dev)
	for _, name := range []string{"send_metrics", "dependencies_instrumentation"} {
		top(name, nil)
	}
	// What is about the provider's account, network or dashboard has no
	// meaning on a server of one's own.
	for _, name := range []string{"account_id", "workers_dev", "preview_urls", "observability", "logpush", "placement",
		"compliance_region", "first_party_worker", "previews", "cache", "usage_model"} {
		inherited(name, nil)
	}

	for _, name := range []string{"durable_objects", "workflows", "queues", "d1_databases", "hyperdrive", "vectorize", "ai", "ai_search",
		"ai_search_namespaces", "agent_memory", "browser", "images", "media", "stream", "analytics", "analytics_engine_datasets", "send_email",
		"mtls_certificates", "dispatch_namespaces", "pipelines", "k2", "secrets_store_secrets", "artifacts", "flagship", "ratelimits",
		"vpc_services", "vpc_networks", "version_metadata", "unsafe_hello_world"} {
		keys = append(keys, key{name: name, unsupported: noBinding})
	}
	for _, name := range []string{"migrations", "exports", "containers", "cloudchamber", "connect", "streaming_tail_consumers", "unsafe", "logfwdr", "access", "python_modules"} {
		keys = append(keys, key{name: name, unsupported: noEffect})
	}
	for name, text := range map[string]string{
		"site":                   "it is not supported: use assets",
		"pages_build_output_dir": "it is not supported: use assets with main",
		"wasm_modules":           "it is not supported: import the module",
		"text_blobs":             "it is not supported: import the file",
		"data_blobs":             "it is not supported: import the file",
		"addresses":              noEffect,
	} {
		keys = append(keys, key{name: name, topLevel: true, unsupported: text})
	}
}

func findKey(name string) *key {
	for i := range keys {
		if keys[i].name == name {
			return &keys[i]
		}
	}
	return nil
}

// similar is the known name that a misspelt one may have meant, or empty.
func similar(name string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := edits(name, k, distance); d < distance && d < (len(k)+1)/2 {
			best, distance = k, d
		}
	}
	return best
}

// edits counts the insertions, deletions, substitutions and swaps of neighbours
// that lead from a to b (optimal string alignment), up to a bound.
func edits(a, b string, bound int) int {
	if len(a)-len(b) >= bound || len(b)-len(a) >= bound {
		return bound
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row := rows[(i+2)%3], rows[i%3], rows[(i+1)%3]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return rows[(len(a)+1)%3][len(b)]
}
