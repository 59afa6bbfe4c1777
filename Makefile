# `make demo` and `make test` are all the set-up there is. They need git, Python >= 3.11 and, for the client of
# Visual Studio Code, npm. The interpreter can be named: make test PYTHON=/usr/bin/python3.12

PYTHON ?= $(firstword $(foreach python,python3.13 python3.12 python3.11 python3.14 python3,\
  $(if $(shell $(python) -c 'import sys, venv, ensurepip; sys.version_info >= (3, 11) and print(1)' 2>/dev/null),$(python))))
VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
READY := $(VENV)/.ready

# pytest's options; `make test PYTEST_ARGS="-k registry"` runs a part.
PYTEST_ARGS ?= -n 2

.PHONY: demo test lint types tests client docs bless clean help

help:
	@echo "make demo    a small application with violations: diagnostics, fixes, the difference"
	@echo "make test    format, lint, types, all tests, the client of Visual Studio Code"
	@echo "make docs    write the generated pages; make bless: rewrite the fixed fences of the specifications"

demo: $(READY)
	@$(BIN)/python -m examples.demo

# The tests come last, so that their closing line ends the output.
test: lint types client tests

lint: $(READY)
	@echo "== format and lint"
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .

types: $(READY)
	@echo "== types"
	@$(BIN)/mypy --no-error-summary

tests: $(READY)
	@echo "== tests"
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

client: $(READY)
	@if ! command -v npm >/dev/null 2>&1; then \
		echo "== client: skipped, npm is not installed"; \
	else \
		echo "== client"; cd client-vscode && npm ci --silent --no-audit --no-fund && npm run --silent check; \
	fi

docs: $(READY)
	@$(BIN)/python dev.py docs

bless: $(READY)
	@$(BIN)/python dev.py bless

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build

# Old pips know no dependency groups, so pip comes first. The stamp is written last: a broken set-up is made again.
$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed (Debian: apt install python3-venv)"; exit 1; }
	@echo "== set-up in $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@echo "   pip"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade "pip>=25.1"
	@echo "   sqlalchemy-guard and what its tests need"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable . --group dev
	@touch $@
