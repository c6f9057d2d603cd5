package main

import (
	"bytes"
	"fmt"

	"github.com/BurntSushi/toml"

	"mayfly/storage/usage"
)

// pricesTable is the table prices of a configuration file.
type pricesTable struct {
	Currency string  `toml:"currency"`
	Requests float64 `toml:"per_million_requests"`
	CPU      float64 `toml:"per_million_cpu_ms"`
	Dynamic  float64 `toml:"per_dynamic_worker_day"`
	Included struct {
		Requests int64 `toml:"requests"`
		CPUMs    int64 `toml:"cpu_ms"`
		Dynamic  int64 `toml:"dynamic_workers"`
	} `toml:"included"` // for each tenant and month
}

// readPrices reads the configuration's prices; nil if it has none.
func (c *fileConfig) readPrices() (*usage.Prices, error) {
	if c.prices == nil {
		return nil, nil
	}
	wrong := func(format string, args ...any) error {
		return usageError{fmt.Errorf("%s: prices: %w", c.path, fmt.Errorf(format, args...))}
	}
	if _, ok := c.prices.(map[string]any); !ok {
		return nil, wrong("expected a table")
	}
	var b bytes.Buffer
	if err := toml.NewEncoder(&b).Encode(c.prices); err != nil {
		return nil, err
	}
	var t pricesTable
	meta, err := toml.Decode(b.String(), &t)
	if err != nil {
		return nil, wrong("%w", err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, wrong("unknown key %s", unknown[0])
	}
	p := &usage.Prices{
		Currency: t.Currency, Requests: t.Requests, CPU: t.CPU, DynamicWorkers: t.Dynamic,
		Included: usage.Included{Requests: t.Included.Requests, CPUMs: t.Included.CPUMs, DynamicWorkers: t.Included.Dynamic},
	}
	if err := p.Check(); err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", c.path, err)}
	}
	return p, nil
}
