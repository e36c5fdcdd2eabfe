# How to build the sandbox process, for the Makefile to include. It needs $(GO),
# sets nothing outside of WASM_*, and adds three targets:
#
#   bin/ringfence-plugin-wasm   the sandbox process
#   bin/lib/libwasmer.so        the engine, found beside it wherever bin/ is
#   bin/escape/ringfence-plugin-wasm   the sandbox process with an engine that has
#                               been taken over, for the escape tests only
#
# The tag custom_wasmer_runtime makes wasmer-go leave out its own linker flags,
# which would write the module cache's path into the binary. The library is
# looked for in lib/ beside the binary, and in /lib: inside a jail's root there
# is no /proc, which $ORIGIN needs.

# Building the host does not download wasmer-go, and `go list` names no folder
# for a module that is not there yet.
WASM_WASMER     = github.com/wasmerio/wasmer-go
WASM_WASMER_DIR = $(eval WASM_WASMER_DIR := $(shell $(GO) mod download $(WASM_WASMER) && $(GO) list -m -f '{{.Dir}}' $(WASM_WASMER)))$(WASM_WASMER_DIR)
WASM_PACKAGED   = $(WASM_WASMER_DIR)/wasmer/packaged
WASM_LIBRARY    = $(WASM_PACKAGED)/lib/linux-amd64/libwasmer.so
WASM_ENV        = CGO_ENABLED=1 CGO_CFLAGS="-O2 -I$(WASM_PACKAGED)/include" \
                  CGO_LDFLAGS="-L$(CURDIR)/bin/lib -lwasmer" CGO_LDFLAGS_ALLOW='.*'
WASM_LDFLAGS    = -s -w -extldflags '-Wl,-rpath,\$$ORIGIN/lib:/lib -Wl,-z,relro,-z,now'

WASM_SOURCES    = $(shell find plugins/wasm pluginkit shmchan internal/seccomp \( -name '*.go' -o -name syscalls.txt \) -not -path '*/testdata/*' -not -name '*_test.go')

bin/lib/libwasmer.so: go.mod
	@mkdir -p bin/lib
	@test -n "$(WASM_WASMER_DIR)" || { echo "wasmer-go could not be downloaded; its version is in go.mod"; exit 1; }
	cp -f "$(WASM_LIBRARY)" $@.tmp
	chmod 0755 $@.tmp
	strip --strip-unneeded $@.tmp
	mv -f $@.tmp $@

bin/ringfence-plugin-wasm: bin/lib/libwasmer.so go.mod go.sum $(WASM_SOURCES)
	$(WASM_ENV) $(GO) build -trimpath -tags custom_wasmer_runtime -ldflags "$(WASM_LDFLAGS)" -o $@ ./plugins/wasm

bin/escape/ringfence-plugin-wasm: bin/lib/libwasmer.so go.mod go.sum $(WASM_SOURCES) $(wildcard internal/attack/*)
	$(WASM_ENV) $(GO) build -trimpath -tags custom_wasmer_runtime,escape -ldflags "$(WASM_LDFLAGS)" -o $@ ./plugins/wasm
