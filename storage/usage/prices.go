package usage

import (
	"context"
	"fmt"
	"math"
)

// Prices are what usage costs. The zero value costs nothing.
type Prices struct {
	Currency       string  // as shown; empty: USD
	Requests       float64 // for a million
	CPU            float64 // for a million milliseconds
	DynamicWorkers float64 // for each dynamic worker on each day
	Included       Included
}

// Included are what costs nothing, for each tenant and calendar month (UTC).
type Included struct {
	Requests       int64
	CPUMs          int64
	DynamicWorkers int64
}

// Check says what is wrong with prices.
func (p *Prices) Check() error {
	for _, v := range [...]struct {
		name  string
		value float64
	}{
		{"requests", p.Requests}, {"cpu", p.CPU}, {"dynamic_workers", p.DynamicWorkers}, {"included.requests", float64(p.Included.Requests)},
		{"included.cpu_ms", float64(p.Included.CPUMs)}, {"included.dynamic_workers", float64(p.Included.DynamicWorkers)},
	} {
		if !(v.value >= 0) || math.IsInf(v.value, 1) {
			return fmt.Errorf("prices.%s: %v is no amount", v.name, v.value)
		}
	}
	return nil
}

// A Cost is an estimate of what usage costs.
type Cost struct {
	Requests, CPU, DynamicWorkers float64
}

// Total is the sum.
func (c Cost) Total() float64 { return c.Requests + c.CPU + c.DynamicWorkers }

// Cost estimates what usage costs that is all of one tenant and one month.
func (p *Prices) Cost(a *Amounts) Cost {
	over := func(used, included float64) float64 { return max(0, used-included) }
	return Cost{
		Requests:       over(float64(a.Requests), float64(p.Included.Requests)) / 1e6 * p.Requests,
		CPU:            over(a.CPU.Seconds()*1e3, float64(p.Included.CPUMs)) / 1e6 * p.CPU,
		DynamicWorkers: over(float64(a.Dynamics), float64(p.Included.DynamicWorkers)) * p.DynamicWorkers,
	}
}

// Cost estimates what the usage costs that a query selects. What is included is
// taken off once for each tenant and month, as if nothing else had been used in
// it.
func (r *Recorder) Cost(ctx context.Context, q Query, p *Prices) (Cost, error) {
	q.Step, q.By, q.Limit = Month, []string{ByTenant}, math.MaxInt
	rows, err := r.Usage(ctx, q)
	var total Cost
	for i := range rows {
		c := p.Cost(&rows[i].Amounts)
		total.Requests += c.Requests
		total.CPU += c.CPU
		total.DynamicWorkers += c.DynamicWorkers
	}
	return total, err
}

// Sum adds up rows.
func Sum(rows []Row) (a Amounts) {
	for i := range rows {
		a.add(&rows[i].Amounts)
	}
	return a
}
