# Ringfence. `make demo` shows it at work, `make test` tests it; both build what
# they need. Go 1.26, gcc and make are all it takes.

SHELL       := /bin/bash
GO          ?= go
PREFIX      ?= /usr/local
VERSION     ?= dev

TOOLS       := jq github webfetch notes rogue echo
NATIVE_GO    = $(shell find examples/notes/plugin internal/seccomp pluginkit shmchan -name '*.go' -not -name '*_test.go' -not -path '*/testdata/*')
GUESTS      := $(TOOLS:%=bin/tools/%.wasm)
JAIL_GO      = $(shell find plugins/jail internal/orders internal/seccomp -name '*.go' -not -name '*_test.go' 2>/dev/null)
HOST_GO      = $(shell find main.go host internal/hclscreen internal/orders internal/pingpong internal/seccomp policies pluginkit shmchan -name '*.go' -not -name '*_test.go' -not -path '*/testdata/*' 2>/dev/null)
# What the host embeds is part of it.
HOST_EMBEDS  = host/cli/demo/policy.hcl $(wildcard host/cli/scaffold/files/* host/cli/scaffold/files/cases/*)
GUEST_GO     = $(shell find pluginkit/guest pluginkit/internal -name '*.go' -not -name '*_test.go' -not -path '*/testdata/*')
# Packages that need no cgo must compile everywhere; only the engine needs it.
CGO_FREE     = $(shell $(GO) list ./... | grep -v '/plugins/wasm\(/\|$$\)')
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.7.0

.DEFAULT_GOAL := build
.DELETE_ON_ERROR:
.PHONY: build help demo test check model hammer bench figures fuzz generate clean install uninstall force

build: bin/ringfence bin/ringfence-jail bin/ringfence-plugin-wasm $(GUESTS) bin/plugins/notes ## build everything into bin/ (the default)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | expand -t 14

demo: build ## show the main job, in under 20 seconds once the modules are compiled
	@bin/ringfence demo

test: build ## run all tests: packages, built binaries, hostile plugins and modules
	$(GO) test -timeout 20m ./...

check: ## formatting, vet, staticcheck, the unsafe rule, other systems, generated code, the ring's model
	@bad=$$(gofmt -l $$(git ls-files --cached --others --exclude-standard '*.go')); test -z "$$bad" || { echo "gofmt would change:"; echo "$$bad"; exit 1; }
	$(GO) mod tidy -diff
	$(GO) vet ./...
	GOOS=wasip1 GOARCH=wasm $(GO) vet ./pluginkit/guest/... ./plugins/tools/...
	GOOS=darwin CGO_ENABLED=0 $(GO) vet $(CGO_FREE)
	$(GO) run $(STATICCHECK) ./...
	$(GO) run ./internal/unsafecheck
	$(GO) -C internal/protogen run . -check ../..
	$(GO) -C internal/extismpeer vet .
	@shmchan/model/check.sh --if-installed

model: ## check the ring's algorithm, and that each mutation of it is found (needs spin)
	@shmchan/model/check.sh

bench: build ## measure; every figure comes with a baseline from the same run
	$(GO) test -run '^$$' -bench . -benchmem ./host/... ./pluginkit/... ./policies/... ./plugins/... ./shmchan/...
	$(GO) run ./internal/pingpong/ringbench

figures: ## measure the ring and write tables and plot into docs/ (best on a quiet machine)
	$(GO) run ./internal/pingpong/ringbench -doc docs/shmchan.md -svg docs/shmchan.svg

hammer: ## 10^10 bytes between two processes in each way of waiting, peers killed at 10 000 points, the whole hostile load
	SHMCHAN_HAMMER_BYTES=10000000000 SHMCHAN_CRASHES=10000 $(GO) test -count 1 -timeout 60m -v -run '^(TestHammer|TestPeerKilled)$$' ./shmchan
	HOST_LOAD=full $(GO) test -count 1 -timeout 60m -v -run '^TestHostile(Process)?Load$$' ./host

fuzz: ## fuzz each target for FUZZTIME (default 30s), and a hostile process for HOSTILETIME (1m)
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $${FUZZTIME:-30s} $$pkg; done; done
	SHMCHAN_FUZZ_TIME=$${HOSTILETIME:-1m} $(GO) test -run '^TestHostileProcess$$' -count 1 -timeout 0 -v ./shmchan

generate: ## write the Go code of the wire protocol from its .proto file
	$(GO) -C internal/protogen run . ../..

clean: ## remove what was built (compiled modules stay: ringfence cache clear)
	rm -rf bin

install: build ## copy bin/ to $(PREFIX)/lib/ringfence and link the command into $(PREFIX)/bin
	install -d $(DESTDIR)$(PREFIX)/lib/ringfence/lib $(DESTDIR)$(PREFIX)/lib/ringfence/tools $(DESTDIR)$(PREFIX)/bin
	install -m 0755 bin/ringfence bin/ringfence-jail bin/ringfence-plugin-wasm $(DESTDIR)$(PREFIX)/lib/ringfence/
	install -m 0755 bin/lib/libwasmer.so $(DESTDIR)$(PREFIX)/lib/ringfence/lib/
	install -m 0644 $(GUESTS) $(DESTDIR)$(PREFIX)/lib/ringfence/tools/
	ln -sf ../lib/ringfence/ringfence $(DESTDIR)$(PREFIX)/bin/ringfence

uninstall: ## undo install
	rm -rf $(DESTDIR)$(PREFIX)/lib/ringfence $(DESTDIR)$(PREFIX)/bin/ringfence

# The file changes when VERSION does, and so the binary is linked again.
bin/version: force
	@mkdir -p bin; echo '$(VERSION)' | cmp -s - $@ || echo '$(VERSION)' >$@

bin/ringfence: go.mod go.sum bin/version $(HOST_GO) $(HOST_EMBEDS)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X github.com/ringfence/ringfence/host/cli.Version=$(VERSION)" -o $@ .

# Static: it runs before there are libraries, and in a root that has none.
bin/ringfence-jail: go.mod go.sum $(JAIL_GO)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o $@ ./plugins/jail

bin/tools/%.wasm: go.mod go.sum $(GUEST_GO) plugins/tools/%/*.go
	GOOS=wasip1 GOARCH=wasm $(GO) build -buildmode=c-shared -trimpath -ldflags '-s -w' -o $@ ./plugins/tools/$*

# What ringfence bench compares itself with (--peer), in a module of its own.
bin/extism-peer: internal/extismpeer/go.mod internal/extismpeer/main.go internal/extismpeer/guest/main.go
	GOOS=wasip1 GOARCH=wasm $(GO) -C internal/extismpeer build -buildmode=c-shared -trimpath -ldflags '-s -w' -o ../../bin/extism-peer.wasm ./guest
	CGO_ENABLED=0 $(GO) -C internal/extismpeer build -trimpath -o ../../bin/extism-peer .

# A native plugin: an example, not part of what is installed.
bin/plugins/notes: go.mod go.sum $(NATIVE_GO)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o $@ ./examples/notes/plugin

include plugins/wasm/wasm.mk
