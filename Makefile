# The commands of the project. `make` alone lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# make run: where the gateway listens, and the log files it shows (globs; empty means those of this machine).
LISTEN ?= 127.0.0.1:8080
LOGS ?=
# make fuzz: how long each target runs.
FUZZTIME ?= 30s
# make bench: how long each benchmark runs.
BENCHTIME ?= 1s

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: help run build test lint generate check-generated fuzz autobahn bench bench-peers faults model setup clean

help: ## print these lines
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-16s %s\n", $$1, $$2 }'

run: build ## start the gateway for development; LOGS="/var/log/*.log app.log" and LISTEN=127.0.0.1:8080 if you like
	@exec scripts/foreground bin/magpie serve --dev --listen '$(LISTEN)' $(foreach glob,$(LOGS),--logs '$(glob)')

build: ## compile bin/magpie; needs Go alone
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/magpie ./cmd/magpie

test: ## install what the tests need, then run every suite: Go, TypeScript, browser, foreign clients, fuzz
	@scripts/test

lint: ## run every linter: Go, TypeScript, shell, Protobuf
	@scripts/lint

generate: ## regenerate the Protobuf code and the console (protocol/gen, web/dist)
	@scripts/generate

check-generated: ## fail if the committed generated code is not what `make generate` makes
	@scripts/generate --check

fuzz: ## run each fuzz target for FUZZTIME (30s)
	@scripts/fuzz '$(FUZZTIME)'

autobahn: ## run the Autobahn WebSocket test suite, all of it; needs Python 2.7
	@scripts/autobahn

faults: ## break a gateway in many ways and check what it promised; LONG=1 for 100 kills, SEED=7 to repeat a run
	@scripts/faults $(if $(LONG),--long) $(if $(SEED),--seed '$(SEED)')

model: ## play RUNS (20000) made-up stories of subscriptions, and of calls, against an oracle, from SEED (1) on
	MAGPIE_MODEL_RUNS='$(or $(RUNS),20000)' MAGPIE_MODEL_SEED='$(or $(SEED),1)' go test -count 1 -timeout 0 -run '^(TestSubscriptionsAgainstTheOracle|TestCallsInAnyOrder)$$' ./internal/session

bench: ## run the micro-benchmarks of the internal packages, each for BENCHTIME (1s)
	go test -run '^$$' -bench . -benchmem -benchtime '$(BENCHTIME)' ./internal/...

bench-peers: ## measure Magpie beside NATS, Socket.IO and the limit, and write bench/RESULTS.md (25 to 40 minutes)
	@scripts/bench-peers

setup: ## install what the tests need beyond Go, Node.js and a JDK
	@scripts/setup

clean: ## remove everything that was built or fetched here
	rm -rf bin .cache coverage web/node_modules sdk/ts/node_modules sdk/ts/dist bench/socketio/node_modules web/e2e/shots
	find conformance test -type d -name target -prune -exec rm -rf {} + 2>/dev/null || true
