# What a person or CI runs. `make demo` and `make test` do everything that a fresh machine needs.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

RELEASE := .build-release
DEBUG := .build-tsan
CORE := .build-core-release
PURE := .build-asan
RELEASE_BIN = $(RELEASE)/release
DEBUG_BIN = $(DEBUG)/debug
CORE_BIN = $(CORE)/release

# A login's path has the tools of the system's administrator, that of a service may not.
export PATH := $(PATH):/usr/sbin:/sbin

# Targets with threads are tested under ThreadSanitizer; the pure ones have none and are tested under AddressSanitizer.
THREAD_TESTS := RaftStoreTests StateStoreTests PeerTransportTests CoordinatorClientTests SQLiteBarrierTests \
    LedgerServiceTests CoordinatorNodeTests clusterctlTests
PURE_TESTS := BytesTests StrictJSONTests RaftTests TransactionsTests ClusterConfigurationTests SQLiteTests RaftStoreTests \
    StateStoreTests SimulationTests
comma := ,
space := $(subst ,, )
# One debug build serves the tests of what has threads and the drills with real processes.
DEBUG_ONLY := $(subst $(space),$(comma),$(strip $(THREAD_TESTS) verdictd clusterctl LedgerService))
PURE_ONLY := $(subst $(space),$(comma),$(strip $(PURE_TESTS)))

# Stacks need lines, and no more of what a debugger would like.
LINES_ONLY := -Xswiftc -gline-tables-only -Xcc -g1
export TSAN_OPTIONS ?= halt_on_error=1:abort_on_error=1:suppressions=$(CURDIR)/scripts/tsan.supp

# ThreadSanitizer makes a node ten times slower, and nobody's election timeout smaller.
SLOW_TIMING := --timing heartbeat=100ms --timing election-timeout-min=1s --timing election-timeout-max=2s

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

setup: ## install what is missing, by name, from Debian
	@scripts/setup

release: setup ## build everything, optimised
	@echo "Building the release (about 7 minutes the first time) ..."
	swift build -c release --scratch-path $(RELEASE)

debug: setup ## build the programs, and the tests of what has threads, with ThreadSanitizer
	@echo "Building for the tests (about 7 minutes the first time) ..."
	VERDICT_ONLY=$(DEBUG_ONLY) swift build --build-tests --sanitize=thread --scratch-path $(DEBUG) $(LINES_ONLY)

core: setup ## build the pure targets and the disk's tools, optimised, with planted bugs for the simulator
	VERDICT_PLANTED_BUGS=1 VERDICT_ONLY=simulate,storedrill,logbench \
	    swift build -c release --scratch-path $(CORE)

demo: release ## three nodes, two banks, transfers under load, the leader killed, every outcome kept
	@scripts/demo --bin $(RELEASE_BIN)

test: test-threads test-pure ## run all tests

test-threads: debug
	@VERDICT_ONLY=$(DEBUG_ONLY) scripts/test $(DEBUG) thread $(THREAD_TESTS)

test-pure: setup
	VERDICT_ONLY=$(PURE_ONLY) \
	    swift build --build-tests --sanitize=address --scratch-path $(PURE) $(LINES_ONLY)
	@VERDICT_ONLY=$(PURE_ONLY) scripts/test $(PURE) address $(PURE_TESTS)

simulate: core ## 2,000 random seeds of the simulated cluster, and the planted bugs
	scripts/simulate-ci $(CORE_BIN)/simulate

model: setup ## every state of a model of decision and failover, and the planted errors
	scripts/model-check

openapi: debug ## send every example of Docs/openapi.yaml to a node, and check every answer
	scripts/openapi-check --bin $(DEBUG_BIN)

disk-drill: core ## kill, EIO, ENOSPC at every durable step of the store, and power losses (needs root)
	scripts/disk-drill $(CORE_BIN)/storedrill

drill: debug ## real processes: 5 kills and 3 stops of the leader under load
	scripts/failover-drill --bin $(DEBUG_BIN) --kills 5 --stops 3 $(SLOW_TIMING)

members-drill: debug ## real processes: nodes join, are replaced, restarted and removed under load
	scripts/members-drill --bin $(DEBUG_BIN) $(SLOW_TIMING)

backup-drill: debug ## real processes: a backup under load, everything lost, and what a cluster of the backup says
	scripts/backup-drill --bin $(DEBUG_BIN) $(SLOW_TIMING)

chaos: debug ## real processes: 4 rounds of 20 s of every fault that this machine allows (most need root)
	scripts/chaos --bin $(DEBUG_BIN) --rounds 4 --seconds 20 --operations 15000
	@echo "The same eyes on reads that may be stale: they must see it."
	scripts/chaos --bin $(DEBUG_BIN) --rounds 1 --seconds 8 --faults stall,isolate --blind

bench: release core ## the log store against the disk, and sagas end to end
	$(CORE_BIN)/logbench
	scripts/bench-saga --bin $(RELEASE_BIN)

bench-restart: release ## memory of a node, and its restart, on a million entries
	scripts/bench-restart --bin $(RELEASE_BIN)

bench-failover: release ## kill -9 of the leader to the next committed submit, 20 times
	scripts/bench-failover --bin $(RELEASE_BIN) --kills 20

proof: release core ## the full amounts, resumable; hours
	scripts/proof --bin $(RELEASE_BIN) --core $(CORE_BIN)

soak: core ## seeds without end
	scripts/simulate-ci $(CORE_BIN)/simulate --soak

fuzz: setup ## libFuzzer on every pure parser, a minute each
	scripts/fuzz

format: ## format every Swift file
	swift format -i -r -p Package.swift Sources Tests

docs: debug ## the documentation of the client kits
	@scripts/docs $(DEBUG) .build-docs CoordinatorClient SQLiteBarrier

clean: ## remove everything that was built, and the demo's data
	rm -rf .build .build-* .demo .venv

.PHONY: help setup release debug core demo test test-threads test-pure openapi simulate model disk-drill drill members-drill backup-drill chaos bench bench-restart bench-failover proof soak fuzz format docs clean
