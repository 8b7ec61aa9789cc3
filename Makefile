# Two commands: `make run` starts a server with its demo app, `make test` runs every test.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What versions to install: those that are tested, or the newest where this is empty.
CONSTRAINTS ?= constraints.txt
# How many processes run the tests: two where there are two cores; 0 is one process that shows what a test prints.
PROCESSES ?= $(shell [ "$$(getconf _NPROCESSORS_ONLN)" -ge 2 ] && echo 2 || echo 0)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))

# Where `make chart` gets Helm from, where there is none.
HELM_VERSION ?= v3.22.0

.PHONY: run test test-every-topology lint types format docs lock clean package pythons chart fuzz audit soak tools

run: $(VENV)/.run
	$(BIN)/sockudo serve --config config/config.json

test: $(VENV)/.dev
	$(BIN)/python -m tests.setup
	$(BIN)/python -m tests.support.second_look --numprocesses $(PROCESSES) --dist worksteal

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

# Fuzzing, guided by coverage; SECONDS in total, for TARGETS or all of tests/fuzz/targets.py.
fuzz: SECONDS ?= 600
fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(TARGETS)

# Ten minutes of idle sockets, sessions and events on workers and Redis; SECONDS and IDLE for another length and number.
soak: SECONDS ?= 600
soak: IDLE ?= 9000
soak: $(VENV)/.dev
	$(BIN)/python benchmarks/soak.py --seconds $(SECONDS) --idle $(IDLE)

# The load generator and the yardstick of benchmarks/, in .cache/tools; needs a C compiler and the headers of OpenSSL.
tools:
	$(PYTHON) benchmarks/load.py

# Known weaknesses of the tested versions. It fails where the database cannot be asked about one of them.
audit:
	$(PYTHON) -m venv .cache/audit
	.cache/audit/bin/python -m pip install --quiet --disable-pip-version-check 'pip-audit>=2.9'
	.cache/audit/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

# The newest versions become those that are tested.
lock:
	$(PYTHON) -m venv --clear .cache/lock
	.cache/lock/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,fuzz,release]'
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
	$(PIP_INSTALL) --only-binary atheris --editable '.[fuzz]' || echo 'atheris has no wheel for this Python: tests replay the corpus only'
	touch $@ $(VENV)/.run

$(VENV)/.release: $(VENV)/.dev
	$(PIP_INSTALL) --editable '.[release]'
	touch $@
