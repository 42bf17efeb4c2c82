# Needs Python 3.11 or newer, nothing else.  Another one than python3:  make PYTHON=python3.12 install

PYTHON ?= python3
BIN := .venv/bin
# One command for us and all that we need: constraints.txt keeps torch at a version of which there are CPU builds.
NATIVE := hatch_build.py src/holdfast/training/native/kernels.cpp
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

# Real TF.js, where there is npm; tests that need it skip without.
NODE := $(if $(shell command -v npm),web/node_modules/done)

.PHONY: help install demo test lint web peers bench soak

PEERS := keras-tf keras-torch keras-jax
BENCHMARKS := augment decode demos digits gpu limit loop_cost memory precision predict pretrain simulate_scale sounds stacked startup throughput time_to_accuracy unknown

help:  ## say what there is
	@sed -nE 's/^([a-z]+):.*  ## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

install: .venv/dev  ## holdfast, and what its developers need, in .venv

demo: .venv/core  ## train on the bundled handwritten digits
	$(BIN)/holdfast train digits

# A thread each: workers that share the cores would spend their time waiting for each other.
test: .venv/dev .venv-keras/done $(NODE)  ## all tests but the long campaigns
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not soak" -n auto --maxprocesses 4

lint: .venv/dev  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

web: .venv/dev  ## take the README's picture of a report anew; needs Chromium
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && cd "$$folder" && \
	  "$(CURDIR)/$(BIN)/holdfast" train digits && cd "$(CURDIR)" && \
	  $(BIN)/python web/picture.py "$$folder/runs/digits-001/report.html" docs/images/report.png

peers: $(PEERS:%=.venv-peers/%/done)  ## Keras on its backends, to measure against

bench: .venv/dev  ## measure what the docs claim; needs the peers
	@for name in $(BENCHMARKS); do echo "$$name"; $(BIN)/python "benchmarks/$$name.py" || exit; done
	$(BIN)/python benchmarks/tables.py

soak: .venv/dev  ## long campaigns
	$(BIN)/python -m pytest -m soak

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

# Stamps: what was installed, since pyproject.toml or constraints.txt changed.
.venv/core: pyproject.toml constraints.txt $(NATIVE) | .venv/bin/python
	$(PIP_INSTALL) -e .
	@touch $@

.venv/dev: pyproject.toml constraints.txt $(NATIVE) | .venv/bin/python
	$(PIP_INSTALL) -e '.[dev]'
	@touch .venv/core $@

# Real Keras, the judge of our numbers and files, in an environment of its own.
.venv-keras/done: tests/golden/requirements.txt
	$(PYTHON) -m venv .venv-keras || { rm -rf .venv-keras; exit 1; }
	.venv-keras/bin/python -m pip install --disable-pip-version-check -r tests/golden/requirements.txt
	@touch $@

# Real TF.js, the judge of what we write for browsers.
web/node_modules/done: web/package.json web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

# What to measure against, each in an environment of its own.
.venv-peers/%/done: benchmarks/peers/%.txt tests/golden/requirements.txt
	$(PYTHON) -m venv .venv-peers/$* || { rm -rf .venv-peers/$*; exit 1; }
	.venv-peers/$*/bin/python -m pip install --disable-pip-version-check -r $<
	@touch $@
