# Mayfly's menu. `make` alone lists it.

FUZZTIME ?= 10s
# make bench BENCH=-quick is a look; -only rest measures one part.
BENCH    ?= -cold
# make wpt WPT='-v url streams/piping' runs a part and says why what fails does.
WPT      ?=
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
LDFLAGS   = -ldflags "-X main.version=$(VERSION)"

# Test binaries don't know the engine's version, by which it names compiled
# code: told it, they share the code that the program has compiled.
ENGINE    = github.com/tetratelabs/wazero
TESTFLAGS = -ldflags "-X $(ENGINE)/internal/version.version=$$(go list -m -f '{{.Version}}' $(ENGINE))"

# The linter's version; it is run from its module, nothing is installed.
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

comma := ,

# TUNED holds the flags that build with the tuned engine.
include runtime/engine/tune/tune.mk

.PHONY: help build guests demo serve check test race fuzz attack wpt cpython browser bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

build: ## build bin/mayfly with the tuned engine
	go build $(TUNED) $(LDFLAGS) -o bin/mayfly ./cmd/mayfly

guests: build ## fetch, build and warm the guests in the cache
	bin/mayfly guests

demo: build guests ## the main job on real input, from start to end
	go run ./cmd/demo

serve: build guests ## serve on 127.0.0.1:8787
	bin/mayfly serve --data ./data

check: ## formatting, vet, generated files, linter
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not formatted:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	go vet $(TUNED) ./...
	go run $(STATICCHECK) ./...

test: guests ## all tests, on the tuned engine and what matters on the stock one
	go test $(TUNED) $(TESTFLAGS) -skip '^TestAttack$$' ./...
	go test $(TUNED) $(TESTFLAGS) -run '^TestAttack$$' ./cmd/mayfly # alone: it measures what a server's tenants wait
	go test $(TESTFLAGS) ./runtime/... ./guests/...

race: guests ## the tests of host code under the race detector
	go test $(TUNED) $(TESTFLAGS) -race ./runtime/isolate/... ./host/... ./api/... ./storage/...

fuzz: guests ## every fuzz target for FUZZTIME
	@set -e; for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; go test $$package -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME); \
		done; done

attack: build guests ## hostile programs against a real server
	MAYFLY_ATTACKS=full go test $(TUNED) $(TESTFLAGS) ./cmd/mayfly -run Attack -count=1 -v -timeout 60m

wpt: guests ## the Web Platform Tests for servers; a choice of them is in make test
	go run $(TUNED) ./cmd/wpt $(WPT)

cpython: guests ## CPython's own tests in the Python guest; needs those of version 3.11
	go test $(TUNED) $(TESTFLAGS) -tags=$(if $(TUNED),mayfly_tuned$(comma))cpython ./guests/python -run TestCPython -count=1 -timeout 60m

browser: guests ## artifacts and documentation in Chromium, which has to be installed
	go test $(TUNED) $(TESTFLAGS) -tags=$(if $(TUNED),mayfly_tuned$(comma))browser ./cmd/mayfly -run Browser -count=1

bench: build guests ## the targets, as ratios from one run
	go run $(TUNED) ./cmd/bench $(BENCH)

clean: ## remove what was built here; the cache stays
	rm -rf bin
