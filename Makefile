# Two commands: `make run` starts a server with its demo app, `make test` runs every test.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What versions to install: those that are tested, or the newest where this is empty.
CONSTRAINTS ?= constraints.txt
# How many processes run the tests.
PROCESSES ?= 0
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))

# Where `make chart` gets Helm from, where there is none.
HELM_VERSION ?= v3.22.0

.PHONY: run test lint types format docs lock clean package pythons chart

run: $(VENV)/.run
	$(BIN)/sockudo serve --config config/config.json

test: $(VENV)/.dev
	$(BIN)/python -m tests.setup
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadscope

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

# The wheel and the source archive in dist/, checked as the index checks them.
package: $(VENV)/.release
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/python -m pytest tests/package

# The wheel on every Python, with the smallest and with the newest dependencies; needs uv.
pythons: $(VENV)/.dev
	$(BIN)/python -m tests.package.pythons

# The Helm chart: linted, rendered in many ways, and compared with the schemas of Kubernetes; needs Go for Helm.
chart: $(VENV)/.release
	command -v helm || GOBIN=$(CURDIR)/.cache/bin go install helm.sh/helm/v3/cmd/helm@$(HELM_VERSION)
	PATH=$(CURDIR)/.cache/bin:$$PATH CHART=1 $(BIN)/python -m pytest tests/ops/test_chart.py

# The newest versions become those that are tested.
lock:
	$(PYTHON) -m venv --clear .cache/lock
	.cache/lock/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,release]'
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

$(VENV)/.release: $(VENV)/.dev
	$(PIP_INSTALL) --editable '.[release]'
	touch $@
