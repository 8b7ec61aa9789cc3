# Two commands: `make run` starts a server with its demo app, `make test` runs every test.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What versions to install: those that are tested, or the newest where this is empty.
CONSTRAINTS ?= constraints.txt
# How many processes run the tests: two where there are two cores; 0 is one process that shows what a test prints.
PROCESSES ?= $(shell [ "$$(getconf _NPROCESSORS_ONLN)" -ge 2 ] && echo 2 || echo 0)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))

.PHONY: run test test-every-topology lint types format docs lock clean

run: $(VENV)/.run
	$(BIN)/sockudo serve --config config/config.json

test: $(VENV)/.dev
	$(BIN)/python -m tests.setup
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist worksteal

# Every scenario on every topology; `test` runs those on every one that depend on what nodes tell each other.
test-every-topology: $(VENV)/.dev
	$(BIN)/python -m tests.setup
	$(BIN)/python -m pytest tests/scenarios --every-topology --numprocesses $(PROCESSES) --dist worksteal

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.dev
	$(BIN)/python -m sockudo.config.reference docs/configuration.md

# The newest versions become those that are tested.
lock:
	$(PYTHON) -m venv --clear .cache/lock
	.cache/lock/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	( sed -n 1p constraints.txt; .cache/lock/bin/python -m pip freeze --exclude-editable ) > .cache/constraints.txt
	mv .cache/constraints.txt constraints.txt

clean:
	rm -rf $(VENV) .cache build dist

$(VENV)/.run: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --editable .
	touch $@

$(VENV)/.dev: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --editable '.[dev]'
	touch $@ $(VENV)/.run
