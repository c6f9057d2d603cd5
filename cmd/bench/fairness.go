package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// spinners are the tenants that use all the processor time they get.
const spinners = 8

// fairness measures how much later a light tenant gets its answers while
// others spin: in each round alone first, then in company.
func (b *bench) fairness(ctx context.Context) (results []result, err error) {
	if _, err := b.javascript(ctx); err != nil {
		return nil, err
	}
	s, err := b.startWarm(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	length := pick(b.quick, 2*time.Second, 5*time.Second)
	var alone, company, middle, later []float64
	for i := range pick(b.quick, 3, 6) {
		_, quiet, err := s.lightTenant(ctx, length)
		if err != nil {
			return nil, err
		}
		stop := s.spin(ctx)
		// The spinners are at work before the tenant comes.
		time.Sleep(500 * time.Millisecond)
		usual, busy, err := s.lightTenant(ctx, length)
		if err := errors.Join(err, stop()); err != nil {
			return nil, err
		}
		if i == 0 {
			continue
		}
		alone, company = append(alone, quiet.Seconds()*1000), append(company, busy.Seconds()*1000)
		middle = append(middle, usual.Seconds()*1000)
		later = append(later, (busy-quiet).Seconds()*1000)
	}
	return []result{{
		target:   target{what: fmt.Sprintf("light tenant's p99 while %d tenants spin, against its p99 alone", spinners), must: 40, aim: 10, unit: " ms"},
		measured: median(later), rounds: later,
		detail: fmt.Sprintf("a request every %v for %v, over REST: p99 alone %.1f ms, in company %.1f ms (p50 %.1f ms)", lightPause, length, median(alone), median(company), median(middle)),
	}}, nil
}

// lightPause is the time from one request of the light tenant to the next.
const lightPause = 5 * time.Millisecond

// lightTenant sends a small program at fixed times, whether or not those
// before it have been answered, and gives p50 and p99 of the answers' delays
// after those times.
func (s *server) lightTenant(ctx context.Context, length time.Duration) (p50, p99 time.Duration, err error) {
	body := toJSON(map[string]string{"language": "javascript", "code": helloScript, "tenant": "light"})
	request := encodeRequest("POST", s.address, "/v1/executions", []byte(body))
	const connections = 32
	due := make(chan time.Time, int(length/lightPause)+1)
	var mu sync.Mutex
	var delays []time.Duration
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
			for at := range due {
				status, answer, err := c.exchange(request)
				if err == nil && (status != 200 || !bytes.Contains(answer, []byte(hello))) {
					err = fmt.Errorf("status %d: %.500s", status, answer)
				}
				if err != nil {
					errs[i] = err
					return
				}
				delay := time.Since(at)
				mu.Lock()
				delays = append(delays, delay)
				mu.Unlock()
			}
		})
	}
	ticker := time.NewTicker(lightPause)
	for end := time.Now().Add(length); time.Now().Before(end) && ctx.Err() == nil; {
		due <- <-ticker.C
	}
	ticker.Stop()
	close(due)
	wg.Wait()
	return quantile(delays, 0.5), quantile(delays, 0.99), errors.Join(append(errs, ctx.Err())...)
}

// spin has the other tenants run loops, one after the other each, until stop
// is called.
func (s *server) spin(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	errs := make([]error, spinners)
	var wg sync.WaitGroup
	for i := range spinners {
		body := toJSON(map[string]any{
			"language": "javascript", "code": "for (;;) {}", "tenant": fmt.Sprintf("spinner-%d", i),
			"limits": map[string]int{"cpu_ms": 500},
		})
		request := encodeRequest("POST", s.address, "/v1/executions", []byte(body))
		wg.Go(func() {
			c, err := dial(s.address)
			if err != nil {
				errs[i] = err
				return
			}
			defer c.close()
			for ctx.Err() == nil {
				status, answer, err := c.exchange(request)
				if err == nil && (status != 200 || !bytes.Contains(answer, []byte(`"exceededCpu"`))) {
					err = fmt.Errorf("status %d: %.500s", status, answer)
				}
				if err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	return func() error {
		cancel()
		wg.Wait()
		return errors.Join(errs...)
	}
}
