package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"mayfly/host/egress"
)

// A guestError is what the guest's promise is rejected with.
type guestError struct {
	name    string // of the class: TypeError, Error
	code    string // of the cause, in node's words; may be empty
	message string
}

func (e *guestError) Error() string { return e.message }

func typeError(format string, args ...any) error {
	return &guestError{name: "TypeError", message: fmt.Sprintf(format, args...)}
}

// errAborted is the cause with which an exchange is cancelled by the guest, or
// because it is over.
var errAborted error = &guestError{name: "AbortError", message: "The operation was aborted"}

// explain turns any error of an exchange into one for the guest. It says what
// the guest may know: what went wrong, and the host that it asked for, but no
// address that a name led to and nothing of this host.
func (x *exchange) explain(err error) error { return explain(x.ctx, x.request.url.Host, err) }

// explain is an error on the way to a host; ctx is what could be cancelled.
func explain(ctx context.Context, host string, err error) error {
	var known *guestError
	if errors.As(err, &known) {
		return known
	}
	var refusal *egress.Refusal
	if errors.As(err, &refusal) {
		return &guestError{name: "TypeError", code: "EACCES", message: "fetch failed: " + refusal.Error()}
	}
	var invalid *egress.URLError
	if errors.As(err, &invalid) {
		return typeError("%s", invalid.Error())
	}
	if ctx.Err() != nil {
		cause := context.Cause(ctx)
		var timeout *timeoutError
		if errors.As(cause, &timeout) {
			return &guestError{name: "TypeError", code: "ETIMEDOUT", message: "fetch failed: " + timeout.Error() + " (" + host + ")"}
		}
		return errAborted
	}
	code, text := describe(err)
	return &guestError{name: "TypeError", code: code, message: "fetch failed: " + text + " (" + host + ")"}
}

// describe names an error of the network, with a code as node has it.
func describe(err error) (code, text string) {
	var (
		dns         *net.DNSError
		unknown     x509.UnknownAuthorityError
		hostname    x509.HostnameError
		invalid     x509.CertificateInvalidError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		alert       tls.AlertError
		netError    net.Error
	)
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "ENOTFOUND", "the name was not found"
	case errors.As(err, &dns):
		return "EAI_AGAIN", "the name could not be looked up"
	case errors.As(err, &unknown):
		return "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "the server's certificate is signed by an unknown authority"
	case errors.As(err, &hostname):
		return "ERR_TLS_CERT_ALTNAME_INVALID", "the server's certificate is for another name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "CERT_HAS_EXPIRED", "the server's certificate has expired or is not yet valid"
	case errors.As(err, &certificate), errors.As(err, &invalid):
		return "CERT_INVALID", "the server's certificate is not valid"
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "EPROTO", "the server does not speak TLS on this port"
	case errors.As(err, &alert):
		return "EPROTO", "the TLS handshake failed"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "ECONNREFUSED", "the connection was refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "ECONNRESET", "the connection was reset"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "EHOSTUNREACH", "the host can't be reached"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "ECONNRESET", "the connection was closed before the end of the response"
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed):
		return "ECONNRESET", "the connection was closed"
	case errors.Is(err, http.ErrLineTooLong), strings.Contains(err.Error(), "headers exceeded"), strings.Contains(err.Error(), "header list"):
		return "HPE_HEADER_OVERFLOW", "the response's headers are too large"
	case errors.As(err, &netError) && netError.Timeout():
		return "ETIMEDOUT", "connecting took too long"
	case strings.Contains(err.Error(), "malformed"), strings.Contains(err.Error(), "invalid"):
		return "HPE_INVALID", "the response is not valid HTTP"
	}
	return "ECONNABORTED", "the network failed"
}
