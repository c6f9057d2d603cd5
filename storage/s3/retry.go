package s3

import (
	"context"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	firstWait = 50 * time.Millisecond
	mostWait  = 3 * time.Second
)

// retry makes a request until it succeeds, fails for good, has been made
// Attempts times, or ctx ends. What request does must be right to do again;
// attempt counts from 0. Waits double, and are a random part of that.
func (b *Bucket) retry(ctx context.Context, request func(attempt int) error) error {
	wait := firstWait
	for attempt := 0; ; attempt++ {
		err := classify(request(attempt))
		if err == nil {
			return nil
		}
		if ended := ctx.Err(); ended != nil {
			return ended
		}
		if attempt+1 >= b.config.Attempts || !temporary(err) || hopeless(err) {
			return err
		}
		timer := time.NewTimer(rand.N(wait) + wait/4)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		wait = min(2*wait, mostWait)
	}
}

// hopeless are errors of the connection that only the operator can mend.
func hopeless(err error) bool {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid)
}
