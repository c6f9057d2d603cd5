package execution

import (
	"fmt"
	"time"
)

// An InvalidError says what is wrong with a request. Several of them may be
// joined with errors.Join.
type InvalidError struct {
	// Field is where, as a JSON pointer (RFC 6901) into the request's JSON
	// form: "/limits/cpu_ms", "/files/0/path". Empty means the request as a
	// whole.
	Field string
	// Message says what was expected, in one clause without a full stop.
	Message string
}

func (e *InvalidError) Error() string {
	if e.Field == "" {
		return "invalid request: " + e.Message
	}
	return "invalid request: " + e.Field + ": " + e.Message
}

// An OverloadError says that a request was not admitted: nothing of it ran.
type OverloadError struct {
	// RetryAfter is when another try may have better luck. Zero means that
	// nothing is known.
	RetryAfter time.Duration
	// Tenant is true when the tenant's own share is used up, and false when
	// the server as a whole is too busy.
	Tenant bool
	// Reason is a clause such as "the queue is full".
	Reason string
}

func (e *OverloadError) Error() string {
	return fmt.Sprintf("not admitted: %s (retry after %v)", e.Reason, e.RetryAfter)
}

// A Runtime is a language that executions can be written in.
type Runtime struct {
	Language string // as in Request.Language
	Version  string // of the language or its interpreter
	Image    string // the warm image's name
	Digest   string // of the warm image, hexadecimal SHA-256; empty until Ready
	Ready    bool   // executions can be admitted
}

// ArtifactKey is the key under which an artifact's content is in
// storage.Objects. Execution ids have no slash, so keys never collide.
func ArtifactKey(execution, name string) string {
	return "artifacts/" + execution + "/" + name
}
