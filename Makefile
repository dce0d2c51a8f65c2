# Two commands matter: `make run` shows the whole chain on simulated logs, `make ui` opens it.
# Everything is installed into .venv on first use: by uv where it is installed, else by pip.
# The first Python from 3.11 on is used; PYTHON=python3.12 make run   chooses another one.

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(or $(firstword $(foreach p,python3 python3.11 python3.12 python3.13,$(shell \
  $(p) -c '$(NEW_ENOUGH)' 2>/dev/null && echo $(p)))),python3)
BIN := .venv/bin
export DAGSTER_DISABLE_TELEMETRY = 1
export MLFLOW_DISABLE_TELEMETRY = true
export DO_NOT_TRACK = true

.PHONY: help run ui test check e2e bench clean

help: ## this list
	@grep -E '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: .venv/installed ## simulate logs if there are none, then the whole chain up to the comparison
	@$(BIN)/label-platform run

ui: .venv/installed ## Dagster and MLflow in the browser, on this machine only (Ctrl-C ends both)
	@$(BIN)/label-platform ui

test: .venv/installed-dev ## the tests
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

check: .venv/installed-dev ## style, types, import boundaries
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

e2e: .venv/installed-dev ## whole-product runs: command line, daemon, kill -9, browser
	$(BIN)/python -m pytest -q -m e2e -n 2 --dist loadfile --no-loadscope-reorder

bench: .venv/installed-dev ## speed and statistical-quality benchmarks (long)
	for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean: ## everything built: simulated logs, lake, runs (not .venv)
	rm -rf data/simulated data/lake data/dagster data/mlflow

.venv/installed: pyproject.toml constraints.txt
	@$(call install,.)
	@touch $@

.venv/installed-dev: pyproject.toml constraints.txt
	@$(call install,.[dev])
	@touch .venv/installed $@

define install
echo "installing into .venv, which takes a minute the first time ..."; \
if command -v uv >/dev/null 2>&1; then \
  { [ -x $(BIN)/python ] || uv venv --quiet --python $(PYTHON) .venv; } && \
  uv pip install --quiet --python $(BIN)/python --constraint constraints.txt --editable '$(1)'; \
else \
  { [ -x $(BIN)/pip ] || $(PYTHON) -m venv .venv; } && \
  $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '$(1)'; \
fi
endef
