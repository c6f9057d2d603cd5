package quickjs

import "testing"

const (
	resultNone = iota
	resultJSON
	resultText
)

func TestArithmetic(t *testing.T) {
	run(t, program{source: "1+2*3"}).want(resultJSON, "number", "7")
}
