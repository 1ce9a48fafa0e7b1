# Seven verbs, the same by hand and in CI: install check fix test bench demo build.
.DEFAULT_GOAL := help
.PHONY: help install check fix test bench demo build lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# pyvips compiles against a system libvips whose headers it finds, and that one would win over the wheel's: hide them.
export PKG_CONFIG_LIBDIR := /nonexistent
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help:  ## say what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

install: $(STAMP)  ## make the environment in .venv

$(STAMP): pyproject.toml requirements.lock requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Darkroom needs Python 3.11 or newer: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

check: install  ## lint, types, import rules, formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: install  ## format, and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: install  ## start real servers and run everything
	$(BIN)/python -m tests.servers.install
	$(BIN)/python -m pytest $(ARGS)

bench: install  ## measure, side by side with peers and limits
	$(BIN)/python -m benchmarks $(ARGS)

demo: install  ## a demo tenant with pictures, a server, URLs that work
	$(BIN)/darkroom demo $(if $(PICTURES),--pictures "$(PICTURES)") $(ARGS)

build: install  ## the wheel and the source distribution, in dist/
	$(BIN)/python -m build --outdir dist .

lock:  ## compile the lock files anew (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-annotate --upgrade pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --no-annotate --upgrade --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:  ## remove the environment and what was built
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
