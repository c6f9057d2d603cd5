// Package api serves executions over HTTP: the contract is openapi.yaml, which
// the server also shows at /openapi.json and /docs.
//
// It decides who may ask (API keys, hosts, origins) and in which form answers
// go out; what a program may do is decided below, in mayfly/host.
//
//go:generate env MAYFLY_UPDATE=1 go test -run TestSpecificationJSON .
package api
