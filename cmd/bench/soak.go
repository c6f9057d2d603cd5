package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A soaked program is one kind of execution of the soak. Its code gets n, the
// number of the execution, as its input.
type soaked struct {
	code    string
	limits  map[string]int
	outcome string
	// result is the JSON of the right result, by n; nil if there is none.
	result func(n int) string
}

func constant(result string) func(int) string { return func(int) string { return result } }

// honest and hostile are what the soak mixes: nine of the one, then one of the
// other. The honest ones look for what those before them may have left.
var honest = []soaked{
	{code: `input * 2 + 1`, outcome: "ok", result: func(n int) string { return strconv.Itoa(2*n + 1) }},
	{code: `export default (n) => ({ n, text: "ü" + n })`, outcome: "ok", result: func(n int) string { return fmt.Sprintf(`{"n":%d,"text":"ü%d"}`, n, n) }},
	{code: `[typeof canary, ({}).canary, [].canary, Object.keys(globalThis).includes("canary")]`, outcome: "ok", result: constant(`["undefined",null,null,false]`)},
	{code: `const m = new Map(); for (let i = 0; i < 100; i++) m.set(i, i * input); let s = 0; for (const v of m.values()) s += v; s`, outcome: "ok",
		result: func(n int) string { return strconv.Itoa(4950 * n) }},
	{code: `await new Promise((resolve) => setTimeout(resolve, 1)); JSON.stringify([input])`, outcome: "ok", result: func(n int) string { return fmt.Sprintf(`"[%d]"`, n) }},
	{code: `import fs from "node:fs"; export default (n) => (fs.writeFileSync("mine", String(n)), [fs.readdirSync(".").join(), fs.readFileSync("mine", "utf8")])`, outcome: "ok",
		result: func(n int) string { return fmt.Sprintf(`["mine","%d"]`, n) }},
	{code: `export default async (n) => (await new Response(JSON.stringify({ n })).json()).n`, outcome: "ok", result: func(n int) string { return strconv.Itoa(n) }},
	{code: `new URL("/a/../b?x=" + input, "http://example.org/").href`, outcome: "ok", result: func(n int) string { return fmt.Sprintf(`"http://example.org/b?x=%d"`, n) }},
}

var hostile = []soaked{
	{code: `for (;;) {}`, limits: map[string]int{"cpu_ms": 5}, outcome: "exceededCpu"},
	{code: `const a = []; for (;;) a.push(new Uint8Array(1 << 20).fill(7))`, limits: map[string]int{"memory_mb": 16}, outcome: "exceededMemory"},
	{code: `const f = () => f() + 1; f()`, outcome: "exception"},
	{code: `Object.prototype.canary = Array.prototype.canary = globalThis.canary = 1; Array.prototype.push = JSON.stringify = Map.prototype.set = null; "poisoned"`, outcome: "ok", result: constant(`"poisoned"`)},
	{code: `throw new Error("n" + input)`, outcome: "exception"},
	{code: `/^(a+)+$/.test("a".repeat(50) + "!")`, limits: map[string]int{"cpu_ms": 5}, outcome: "exceededCpu"},
	{code: `for (;;) console.log("flood")`, limits: map[string]int{"output_bytes": 2000}, outcome: "exceededOutput"},
	{code: `Promise.reject(new Error("lost")); await new Promise((resolve) => setTimeout(resolve, 1)); 1`, outcome: "exception"},
	{code: `await new Promise((resolve) => setTimeout(resolve, 60_000))`, limits: map[string]int{"wall_ms": 20}, outcome: "exceededWallTime"},
	{code: `JSON.parse("[".repeat(200_000))`, outcome: "exception"},
	{code: `const again = () => queueMicrotask(again); again(); await new Promise(() => {})`, limits: map[string]int{"cpu_ms": 5}, outcome: "exceededCpu"},
	{code: `process.exit(3)`, outcome: "exception"},
	{code: `syntax error`, outcome: "exception"},
}

// soak runs many executions, and watches what the server holds on to.
func (b *bench) soak(ctx context.Context) (results []result, err error) {
	if _, err := b.javascript(ctx); err != nil {
		return nil, err
	}
	s, err := b.startWarm(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	// The first part brings the server to its working size.
	const parts = 10
	var samples []holdings
	var wrong []string
	begin := time.Now()
	for part := range parts {
		bad, err := s.executeMixed(ctx, part*b.count/parts, (part+1)*b.count/parts)
		if err != nil {
			return nil, err
		}
		wrong = append(wrong, bad...)
		h, err := s.holds()
		if err != nil {
			return nil, err
		}
		samples = append(samples, h)
		b.say("  %7d executions: %v", (part+1)*b.count/parts, h)
	}
	rate := float64(b.count) / time.Since(begin).Seconds()
	for _, w := range wrong[:min(len(wrong), 10)] {
		b.say("  wrong: %s", w)
	}
	first, last := samples[1], samples[parts-1]
	// What a collector has yet to collect comes and goes: peaks are compared.
	var memory []float64
	for _, h := range samples {
		memory = append(memory, float64(h.memory>>20))
	}
	before, after := slices.Max(memory[:parts/2]), slices.Max(memory[parts/2:])
	total := number(float64(b.count)) + " mixed executions: "
	return []result{
		{target: target{what: total + "wrong answers", unit: ""}, measured: float64(len(wrong)),
			detail: fmt.Sprintf("%d kinds of honest, %d of hostile programs, over REST, %s/s", len(honest), len(hostile), number(rate))},
		{target: target{what: total + "growth of resident memory", must: 10, aim: 5, unit: " %"}, measured: 100 * max(after/before-1, 0), rounds: memory,
			detail: fmt.Sprintf("at most %.0f MiB in the first half, %.0f MiB in the second; %d MiB at the end", before, after, last.memory>>20)},
		{target: target{what: total + "more goroutines", must: 4, aim: 0}, measured: float64(max(last.goroutines-first.goroutines, 0)),
			detail: fmt.Sprintf("from %d to %d", first.goroutines, last.goroutines)},
		{target: target{what: total + "more descriptors", must: 4, aim: 0}, measured: float64(max(last.descriptors-first.descriptors, 0)),
			detail: fmt.Sprintf("from %d to %d", first.descriptors, last.descriptors)},
	}, nil
}

// executeMixed posts the executions with numbers from on, up to to, over 8
// connections, and tells which were answered wrongly.
func (s *server) executeMixed(ctx context.Context, from, to int) (wrong []string, err error) {
	var next atomic.Int64
	next.Store(int64(from))
	var mu sync.Mutex
	const connections = 8
	errs := make([]error, connections)
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			c, err := dial(s.address)
			if err != nil {
				errs[i] = err
				return
			}
			defer c.close()
			for {
				n := int(next.Add(1)) - 1
				if n >= to || ctx.Err() != nil {
					return
				}
				bad, err := executeSoaked(c, s.address, n)
				if err != nil {
					errs[i] = err
					return
				}
				if bad != "" {
					mu.Lock()
					wrong = append(wrong, bad)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return wrong, errors.Join(append(errs, ctx.Err())...)
}

// executeSoaked posts execution n and says what is wrong with its answer.
func executeSoaked(c *connection, address string, n int) (wrong string, err error) {
	var p *soaked
	if n%10 == 9 {
		p = &hostile[n/10%len(hostile)]
	} else {
		p = &honest[(n-n/10)%len(honest)]
	}
	request := map[string]any{"language": "javascript", "code": p.code, "input": n}
	if p.limits != nil {
		request["limits"] = p.limits
	}
	status, body, err := c.exchange(encodeRequest("POST", address, "/v1/executions", []byte(toJSON(request))))
	if err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return fmt.Sprintf("%d: status %d: %.300s", n, status, body), nil
	}
	var answer struct {
		Outcome string
		Result  json.RawMessage
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", err
	}
	if answer.Outcome != p.outcome || p.result != nil && string(answer.Result) != p.result(n) {
		return fmt.Sprintf("%d: %s: got %s, want %s: %.600s", n, p.code, answer.Outcome, p.outcome, body), nil
	}
	return "", nil
}

// holdings are what a server at rest holds on to.
type holdings struct {
	memory                  int64 // bytes, resident
	goroutines, descriptors int
}

func (h holdings) String() string {
	return fmt.Sprintf("%d MiB, %d goroutines, %d descriptors", h.memory>>20, h.goroutines, h.descriptors)
}

// holds waits until the server rests, and asks it for what it holds.
func (s *server) holds() (h holdings, err error) {
	time.Sleep(time.Second)
	request, err := http.Get("http://" + s.address + "/metrics")
	if err != nil {
		return h, err
	}
	defer request.Body.Close()
	for lines := bufio.NewScanner(request.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		v, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "go_goroutines":
			h.goroutines = int(v)
		case "process_open_fds":
			h.descriptors = int(v)
		case "mayfly_memory_resident_bytes":
			h.memory = int64(v)
		}
	}
	if h.goroutines == 0 || h.descriptors == 0 || h.memory == 0 {
		return h, errors.New("/metrics lacks go_goroutines, process_open_fds or mayfly_memory_resident_bytes")
	}
	return h, nil
}
