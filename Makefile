# The same commands by hand and in CI.
.DEFAULT_GOAL := help
.PHONY: help install check fix docs test test-full test-api bench demo build lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# One process more than there are processors, each with servers of its own. `worksteal` keeps the tests of a file
# together while there is work for all, and then moves single tests, so one slow file does not hold up the end.
PARALLEL ?= -n auto --dist worksteal

# pyvips would compile against the headers of a system libvips, and use it instead of the wheel's: hide them.
export PKG_CONFIG_LIBDIR := /nonexistent
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:  ## List the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## Create the environment in .venv from the lock files

$(STAMP): pyproject.toml requirements.lock requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Darkroom requires Python 3.11 or newer. Specify one: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

check: install  ## Check style, formatting, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: install  ## Format the code and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: install  ## Write docs/api.md from the routes of the API
	$(BIN)/darkroom openapi --markdown > docs/api.md

test: install  ## Run the tests in parallel, on real servers; ARGS='tests/core -x' runs a part
	$(BIN)/python -m tests.servers.install
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

test-full: export DARKROOM_TEST_FULL := 1
test-full: test  ## Run the tests with every picture of the corpus in every format

test-api: install  ## Send 5,000 generated requests to the API on each database, which takes minutes
	$(BIN)/python -m tests.servers.install
	DARKROOM_TEST_FULL=1 $(BIN)/python -m pytest -n 2 tests/catalog/api/test_schemathesis.py

bench: install  ## Run the benchmarks; ARGS='hit miss' runs a part
	$(BIN)/python -m benchmarks $(ARGS)

demo: install  ## Start a server with a demo tenant and pictures, and print URLs
	$(BIN)/darkroom demo $(if $(PICTURES),--pictures "$(PICTURES)") $(ARGS)

build: install  ## Build the wheel and the source distribution in dist/
	$(BIN)/python -m build --outdir dist .

lock:  ## Compile the lock files (requires uv)
	uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-annotate --upgrade pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-annotate --upgrade --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:  ## Remove the environment and everything that was built
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .pytest-durations .ruff_cache .hypothesis .import_linter_cache
