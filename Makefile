# Everything starts here, on a machine with Python 3.11 or newer (with venv) and make, and nothing else:
#
#   make demo                           the whole product on this machine, against the built-in sandbox Google
#   make demo ARGS="--auto --exit"      the whole story, checked step by step
#   make test                           style, types, layers, and the tests on SQLite and PostgreSQL
#   make bench                          every number of docs/benchmarks.md, measured here and written there
#   make kill                           SIGKILL at every write of every operation on keys and data, and what holds then
#   make docs                           the documents as a site, in build/docs/site
#   make contract EXAMPLES=100          every address as its document says, and otherwise, as each role
#   make container                      the Dockerfile's steps in a clean folder, and the service that comes out of them
#   make first-minute                   a clone, its environment and the whole story, in at most 90 s with a warm package cache
#   make prove                          the index and its changes through thousands of lives, against a naive model
#
# PYTHON=… chooses the interpreter, VENV=… the folder of the environment, TESTS=… the tests to run.

MAKEFLAGS += --no-print-directory
SHELL = /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV ?= .venv
BIN = $(VENV)/bin
PYTHON ?=
ARGS ?=
TESTS ?= tests
# Tests wait for processes and databases as often as for a processor: one more of them than there are.
WORKERS ?= $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)
FLOOR = 95
FOLDER ?= build/screenshots
STOPS ?=
EXAMPLES ?= 2000

# An interpreter that is found may still be an empty shim or too old, so each is asked.
SUITABLE = import sys; sys.exit(sys.version_info < (3, 11))
CANDIDATES = $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
PIP = $(BIN)/python -m pip --disable-pip-version-check --no-input -qq

# An environment made by hand is used as it is; one whose interpreter is gone (moved, upgraded) is made anew.
SOUND := $(shell $(BIN)/python -c '$(SUITABLE)' 2>/dev/null && echo yes)
ifneq ($(SOUND),yes)
.PHONY: $(VENV)/made
endif

.PHONY: help first-minute demo container test bench bench-sync chaos contract kill docs prove lint format types layers tests lock bom scan clean screenshots

help:
	@sed -n 's/^#   //p' Makefile
	@echo "make lint | format | types | layers | tests | lock | bom | scan | clean"

# --- the environment: a stamp file a step, so that a second call does nothing -----------------------------

$(VENV)/made:
ifneq ($(SOUND),yes)
	@for candidate in $(CANDIDATES); do \
	  if $$candidate -c '$(SUITABLE)' 2>/dev/null; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "No Python 3.11 or newer among: $(CANDIDATES). Install one (Debian, Ubuntu: apt install python3 python3-venv) or say PYTHON=/path/to/python3."; \
	  exit 1; \
	fi; \
	if ! $$found -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$found has no venv. Install it (Debian, Ubuntu: apt install python3-venv) or say PYTHON=/path/to/python3."; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$found --version)"; \
	rm -f $(VENV)/installed-*; \
	$$found -m venv --clear $(VENV)
endif
	@touch $@

$(VENV)/installed-runtime: requirements.lock pyproject.toml $(VENV)/made
	@echo "Installing what ga-sync needs, each file checked against its hash (a minute or two, once)"
	@$(PIP) install --no-compile --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock pyproject.toml $(VENV)/made
	@echo "Installing what the tests need, each file checked against its hash (a minute or two, once)"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --no-index -e .
	@touch $(VENV)/installed-runtime $@

# --- what people run -------------------------------------------------------------------------------------

demo: $(VENV)/installed-runtime
	@$(BIN)/ga-sync demo $(ARGS)

test: lint types layers
	@rm -f .coverage .coverage.*
	@$(BIN)/pytest $(TESTS) -q -rfEs -n $(WORKERS) --dist worksteal --cov --cov-branch --cov-report=
	@$(BIN)/coverage report
	@$(BIN)/coverage json -q -o - | $(BIN)/python .ci/floor.py $(FLOOR)

# The tests alone, without measuring them.
tests: $(VENV)/installed-dev
	@$(BIN)/pytest $(TESTS) -q -rfEs -n $(WORKERS) --dist worksteal

# ARGS="--size 1 --no-http" measures less; ARGS=--help says what there is. Peers that are not installed are skipped.
bench: $(VENV)/installed-dev
	@$(BIN)/python -m tests.benchmarks $(ARGS)

# One day of 2,000,000 rows read in three ways, and a day of 100,000 links in PostgreSQL; writes docs/benchmarks-sync.md.
# ARGS="100000 1000" measures less, and prints.
bench-sync: $(VENV)/installed-dev
	@$(BIN)/python -m tests.benchmarks.sync_bench $(ARGS)

# Hundreds of syncs through bad days at Google; prints the seed and every invariant. ARGS="SEED WALKS" repeats one.
chaos: $(VENV)/installed-dev
	@$(BIN)/python -m tests.chaos $(ARGS)

# SIGKILL at every system call that writes (strace; without it at random instants), on both databases; prints the seed, what
# was killed where, and every invariant. A quarter of an hour each; ARGS="--seed 1 --points 20 --on sqlite --act revoke" does less.
kill: $(VENV)/installed-dev
	@$(BIN)/python -m tests.kill $(ARGS)

# Every address as the OpenAPI document says, and otherwise: so many examples each, and every boundary, as each role.
contract: EXAMPLES = 100
contract: $(VENV)/installed-dev
	@GA_SYNC_TEST_SCHEMA_EXAMPLES=$(EXAMPLES) $(BIN)/pytest tests/web/test_described.py -q --timeout 7200

# The index alone, and whoever follows its changes through the real doors' own code, over SQLite and PostgreSQL.
prove: $(VENV)/installed-dev
	@GA_SYNC_MACHINE_EXAMPLES=$(EXAMPLES) $(BIN)/pytest tests/index/test_machine.py tests/sync/test_following.py \
	  -k "Life or follower_ends" -q -n $(WORKERS) --timeout 7200

# Pictures of every page, by the system's Chromium: FOLDER=… says where to, STOPS="…" takes only those.
screenshots: $(VENV)/installed-dev
	@$(BIN)/python -m tests.browser.screenshots $(FOLDER) $(STOPS)

# The documents as a site; a link that leads nowhere fails it.
docs: $(VENV)/installed-dev
	@mkdir -p build/docs
	@$(BIN)/python -m tests.site build/docs

# What `docker build` would do, without Docker, and whether it serves, is healthy, and stops.
container: $(VENV)/installed-dev
	@$(BIN)/python -m tests.containers.steps build/container

# What somebody new waits for; the story ends after its first filters.
first-minute:
	@rm -rf build/first-minute; began=$$(date +%s); \
	git clone -q . build/first-minute && $(MAKE) -C build/first-minute VENV=.venv demo ARGS="--auto --exit" 2>/dev/null && \
	took=$$(($$(date +%s) - began)) && echo "from the clone to the end of the story: $$took s, at most 90" && test $$took -le 90

lint: $(VENV)/installed-dev
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check . && echo "style: nothing to say"

format: $(VENV)/installed-dev
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

types: $(VENV)/installed-dev
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/mypy --no-error-summary --explicit-package-bases tests docs/recipes .ci/floor.py
	@echo "types: nothing to say"

layers: $(VENV)/installed-dev
	@if $(BIN)/lint-imports --no-cache > $(VENV)/layers.txt 2>&1; then echo "layers: nothing to say"; else cat $(VENV)/layers.txt; exit 1; fi

# --- the lock files --------------------------------------------------------------------------------------

UV = build/uv
COMPILE = $(UV)/bin/uv pip compile -q --universal --no-strip-extras --generate-hashes --no-header --no-annotate --python-version 3.11

$(UV)/made: $(VENV)/made
	@$(BIN)/python -m venv --clear $(UV)
	@$(UV)/bin/python -m pip --disable-pip-version-check -q install uv
	@touch $@

# UPGRADE=--upgrade takes the newest of everything; without it only what pyproject.toml asks for changes.
lock: $(UV)/made
	@$(COMPILE) $(UPGRADE) pyproject.toml --group build -o requirements.lock
	@$(COMPILE) $(UPGRADE) -c requirements.lock pyproject.toml --group dev -o requirements-dev.lock

# --- what is inside, and what is known of it ---------------------------------------------------------------

INSIDE = build/inside

$(INSIDE)/made: $(VENV)/made
	@$(BIN)/python -m venv --clear $(INSIDE)
	@$(INSIDE)/bin/python -m pip --disable-pip-version-check -q install cyclonedx-bom pip-audit
	@touch $@

# The bill of materials (CycloneDX) of what is locked for running: every package with its version and hashes.
bom: $(INSIDE)/made
	@$(INSIDE)/bin/cyclonedx-py requirements --of JSON -o build/bom.json requirements.lock && echo "build/bom.json"

# Asks PyPI for known weaknesses of exactly those versions; ends with 1 where there are any.
scan: $(INSIDE)/made
	@$(INSIDE)/bin/pip-audit --require-hashes --disable-pip --strict -r requirements.lock

clean:
	@rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
