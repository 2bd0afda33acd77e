# Everything runs in .venv, which this file makes and keeps up to date by itself.

BIN := .venv/bin
WORKERS ?= 2
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
CHROMIUM := $(or $(BANZHANG_CHROMIUM),/usr/bin/chromium)

.DEFAULT_GOAL := help
.PHONY: help demo test check style types arrows dependencies words bench format pins clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name does; \
		do printf '  make %-13s %s\n' "$$name" "$$does"; done

demo: .venv/.runtime ## the whole bot with a chat in the browser; ARGS="--port 9000"
	@$(BIN)/banzhang demo $(ARGS) || [ $$? -eq 130 ]

test: .venv/.dev ## all tests, and the coverage they must reach; ARGS="tests/test_x.py --no-cov"
	@if [ ! -x "$(CHROMIUM)" ]; then \
		echo "!!! NO BROWSER: $(CHROMIUM) is missing, so the tests of the demo's page are skipped."; \
		echo "!!! Get it with 'apt-get install chromium', or set BANZHANG_CHROMIUM to a Chromium or Chrome."; \
	fi
	@echo "== tests"
	@$(BIN)/python -m pytest -p tests.no_skips -n $(WORKERS) --dist worksteal --cov --cov-report=term $(ARGS)

check: style types arrows dependencies words ## all that can be judged without running the bot

style: .venv/.dev
	@echo "== style (ruff)"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/.dev
	@echo "== types (mypy)"
	@$(BIN)/mypy

arrows: .venv/.dev
	@echo "== arrows between the rooms (import-linter)"
	@$(BIN)/lint-imports --no-logo

dependencies: .venv/.dev
	@echo "== dependencies (deptry)"
	@$(BIN)/deptry .

words: .venv/.dev
	@echo "== words (tests.checks: catalogues, parity)"
	@$(BIN)/python -m tests.checks.catalogues
	@$(BIN)/python -m tests.checks.parity

bench: .venv/.dev ## the measurements of docs/performance.md
	@$(BIN)/python -m tests.benchmarks $(ARGS)

format: .venv/.dev ## put the code into its form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# An environment of its own, so that nothing gets in but what pyproject.toml asks for.
pins: .venv/bin/python ## constraints.txt anew, with the newest versions that pyproject.toml allows
	@set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	$(BIN)/python -m venv "$$fresh"; \
	"$$fresh/bin/python" -m pip install --quiet --disable-pip-version-check -e '.[dev]'; \
	{ echo "# What the bot and its tests run with, all of it. Made by 'make pins'."; \
	  "$$fresh/bin/python" -m pip freeze --disable-pip-version-check --exclude-editable; } > "$$fresh/constraints.txt"; \
	cp "$$fresh/constraints.txt" constraints.txt

clean: ## remove what tools left behind (not .venv)
	@rm -rf build dist htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	@find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

# --- .venv ------------------------------------------------------------------------------------------

.venv/bin/python:
	@for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3); do \
		if $$python -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "== .venv ($$python)"; exec $$python -m venv .venv; \
		fi; \
	done; \
	echo "Banzhang needs Python 3.11 or newer with its venv module (on Debian: apt-get install python3-venv)." >&2; \
	echo "If one is there under another name: make PYTHON=/path/to/python" >&2; \
	exit 1

.venv/.runtime: pyproject.toml constraints.txt | .venv/bin/python
	@echo "== installing what the bot needs"
	@$(PIP_INSTALL) -e . -c constraints.txt
	@touch $@

.venv/.dev: pyproject.toml constraints.txt | .venv/bin/python
	@echo "== installing what the bot and its tests need"
	@$(PIP_INSTALL) -e '.[dev]' -c constraints.txt
	@touch .venv/.runtime $@
