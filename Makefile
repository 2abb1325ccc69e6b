# Recipes for users (demo, test) and maintainers (the rest). `make help` lists them.
# Everything lands in $(VENV), build/ and out/; none of it is committed.

PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
PIP     = $(BIN)/python -m pip --disable-pip-version-check
SAMPLE  = data/samples/composite_a.dcm

.DEFAULT_GOAL := help
.PHONY: help demo test lint types licences docs notebooks torch films servers wheel-test bench nightly final-eval readme lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

# --- environments: a stamp per lock, so that a second run starts at once ---------------------------------------------

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else \
	  f"Expected Python 3.11 or newer, found {v.major}.{v.minor}. Name another: make demo PYTHON=python3.12")'
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.base: requirements/base.txt pyproject.toml | $(VENV)/.python
	@echo "installing cephstd and what it needs into $(VENV) (about a minute)"
	@$(PIP) install --quiet --require-hashes -r requirements/base.txt
	@$(PIP) install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.base
	@echo "installing what the tests need into $(VENV)"
	@$(PIP) install --quiet --require-hashes -r requirements/test.txt
	@touch $@

$(VENV)/.ci: requirements/ci.txt $(VENV)/.test
	@echo "installing what the wider checks need into $(VENV)"
	@$(PIP) install --quiet --require-hashes -r requirements/ci.txt
	@touch $@

# Exactly this version: a plain `torch` may bring gigabytes of GPU libraries.
$(VENV)/.torch: $(VENV)/.ci
	@echo "installing torch 2.13.0 into $(VENV)"
	@$(PIP) install --quiet torch==2.13.0
	@touch $@

# --- users ---------------------------------------------------------------------------------------------------------

demo: $(VENV)/.base ## install cephstd and analyse a sample film into out/
	@mkdir -p out
	@$(BIN)/cephstd analyze $(SAMPLE) --analysis steiner --out out > out/demo.jsonl
	@echo
	@echo "check it: $(BIN)/cephstd verify out/composite_a.record.json --source $(SAMPLE)"

test: $(VENV)/.test ## install what the tests need and run them (no torch, GPU, server or real film)
	@$(BIN)/python -m pytest -q -m "not torch and not films and not gpu and not servers"

# --- maintainers ---------------------------------------------------------------------------------------------------

lint: $(VENV)/.ci ## style, import rules, rules for files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(BIN)/python ci/file_rules.py

types: $(VENV)/.torch ## mypy --strict (reads torch, which training uses)
	@$(BIN)/mypy

docs: $(VENV)/.ci ## site and its examples, warnings are errors -> build/site
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/site
	@$(BIN)/python -m sphinx -W --keep-going -q -b doctest docs build/doctest
	@echo "site  build/site/index.html"

notebooks: $(VENV)/.ci ## run every notebook from top to bottom
	@$(BIN)/python -m pytest -q tests/integration/test_notebooks.py

torch: $(VENV)/.torch ## tests of training (CPU build of torch)
	@$(BIN)/python -m pytest -q -m torch

servers: $(VENV)/.test ## tests with real programs: Orthanc, DICOM checkers, a browser, a Ray cluster
	@$(BIN)/python -m pytest -q -m "servers and not torch and not films"

films: $(VENV)/.test ## tests on real films, where they lie beside the checkout
	@$(BIN)/python -m pytest -q -m "films and not torch and not servers"

licences: $(VENV)/.ci build/wheel/.installed ## licences and SBOM of what a user installs; requirement table -> build/
	@$(BIN)/pip-licenses --python build/wheel/bin/python --format json --output-file build/licences.json > /dev/null
	@$(BIN)/python ci/licences.py build/licences.json
	@$(BIN)/cyclonedx-py environment build/wheel/bin/python --output-format JSON --output-file build/sbom.cdx.json
	@$(BIN)/python ci/requirement_table.py build/requirements.md

# The wheel in an environment of its own: no checkout on the path, an empty working folder.
build/wheel/.installed: requirements/base.txt $(VENV)/.ci $(shell find src models data/samples -type f -not -name '*.pyc' 2>/dev/null)
	@rm -rf build/wheel dist
	@$(BIN)/python -m build --wheel --outdir dist . > /dev/null
	@$(BIN)/python -m venv build/wheel
	@build/wheel/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/base.txt
	@build/wheel/bin/python -m pip install --quiet --disable-pip-version-check --no-deps dist/*.whl
	@touch $@

wheel-test: build/wheel/.installed ## the tests once more on the built wheel, src/ absent
	@ci/wheel_test.sh

bench: $(VENV)/.ci ## speed as ratios in one run; cost of records and of the log
	@$(BIN)/python benchmarks/speed.py
	@$(BIN)/python benchmarks/records.py --entries 100000
	@$(BIN)/python benchmarks/measurement.py --films 200000 --turns 3

final-eval: $(VENV)/.base ## protocol model on the clean test films, entered in the ledger -> benchmarks/results/
	@$(BIN)/python benchmarks/final_eval.py

nightly: $(VENV)/.torch ## long counts and figures; summary -> benchmarks/results/
	@CEPHSTD_COUNTS=full $(BIN)/python -m pytest -q
	@$(BIN)/python benchmarks/speed.py --repeat 40 --write benchmarks/results/speed.json
	@$(BIN)/python benchmarks/records.py --check --write benchmarks/results/records.json
	@$(BIN)/python benchmarks/measurement.py --write benchmarks/results/measurement.json
	@$(BIN)/python benchmarks/batch_speed.py --write benchmarks/results/batch.json
	@$(BIN)/python benchmarks/batch_memory.py --films 100000 --early 1000 --check --write benchmarks/results/batch_memory.json
	@$(BIN)/python benchmarks/resume_scan.py --check --write benchmarks/results/resume_scan.json
	@$(BIN)/python benchmarks/fleet_speed.py --write benchmarks/results/fleet_speed.json
	@$(BIN)/python benchmarks/fleet_faults.py --write benchmarks/results/fleet_faults.json

readme: $(VENV)/.base ## bring README's help, sample output and picture up to date
	@$(BIN)/python ci/readme.py

lock: ## resolve requirements/*.txt again (add UP=--upgrade for newer versions)
	@$(PIP) install --quiet uv
	@ci/lock.sh $(UP)

clean: ## remove what these recipes made, but for $(VENV)
	@rm -rf build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis
