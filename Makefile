# The commands that the README, CONTRIBUTING and CI use. `make help` lists them.
SHELL := /usr/bin/env bash
.DEFAULT_GOAL := help
RELEASE := target/release/headwater

.PHONY: help up demo packages player dashboard build dist check test pictures soak clients bench fuzz

help: ## List the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

up: build ## Build and start everything; Ctrl-C stops it (ARGS="--demo" adds a test broadcast)
	@exec $(RELEASE) dev $(ARGS)

demo: build ## As `make up`, with a built-in moving test broadcast
	@exec $(RELEASE) dev --demo $(ARGS)

packages: ## Install the Debian packages that building and running need
	@infra/packages.sh run

player: origin/player/dist/.stamp ## Build the embed player page

# The embed player page, compiled into the binary.
origin/player/dist/.stamp: $(shell find origin/player -path '*/node_modules' -prune -o -path '*/dist' -prune -o -type f -print 2>/dev/null) | packages
	@echo "Building the player page"
	@cd origin/player && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build
	@touch $@

dashboard: dashboard/dist/.stamp ## Build the dashboard's pages

# The dashboard, compiled into the binary. Its tests, its mock of the API and what its build writes are no part of it.
dashboard/dist/.stamp: $(shell find dashboard \( -name node_modules -o -name dist -o -name e2e -o -name mock-api \) -prune -o -type f -not -name '*.d.ts' -not -name '*.test.ts' -not -name '*.md' -print 2>/dev/null) | packages
	@echo "Building the dashboard (half a minute at first)"
	@cd dashboard && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build
	@touch $@

build: packages ## Build the release binary
	@infra/build.sh release

dist: packages ## Build the binary for deployments, target/dist/headwater: optimised in full, which takes longer
	@infra/build.sh dist

check: player dashboard ## Format, clippy with warnings denied, tidy checks
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets --locked -- -D warnings
	@cargo test --locked -p headwater-tests --test tidy

test: player dashboard ## Every test that needs no special hardware
	@infra/packages.sh test
	@infra/test.sh

pictures: build ## Draw every page of the dashboard, light, dark and on a phone, into PICTURES (default: a new folder)
	@infra/packages.sh test
	@infra/pictures.sh

soak: build ## Minutes of live broadcasts under a judge's eyes: SOAK_MINUTES (default 5) and some more
	@infra/packages.sh run
	@infra/soak.sh

clients: player dashboard ## Push with OBS, which is installed for it, and watch
	@infra/packages.sh run clients
	@cargo build --locked --bin headwater
	@cargo test --locked --workspace --test clients -- --test-threads=1

bench: build ## Measure against FFmpeg and nginx; writes docs/benchmarks.md's figures
	@infra/packages.sh bench
	@infra/bench.sh

fuzz: player dashboard ## Fuzz each parser for FUZZ_SECONDS (default 60) seconds
	@infra/fuzz.sh
