# Every target does its own set-up: a machine with Python 3.11 and nothing else is enough.
# SNN_SYNTH_DATA (a folder with the real data sets) is passed through to everything that runs.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
# pip would compile every module; most are never imported, and Python compiles those that are.
PIP := --quiet --disable-pip-version-check --no-compile
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test lint journey fuzz docs try-page clean

demo: $(READY)
	$(BIN)/snn-synth demo

# OMP_NUM_THREADS=1: each of the test workers has one core, and torch would give each of them all cores.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Runs every code block of the README and of two pages in a fresh clone with a fresh environment.
journey:
	$(PYTHON) tests/journey.py

# Damaged files for every parser: make fuzz N=20000
N ?= 20000
fuzz: $(READY)
	SNN_SYNTH_FUZZ=$(N) OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/fuzz -n auto --dist load

# The site, in build/docs: the notebooks run, a warning is an error, and every link on the site is followed.
docs: .venv/docs-ready
	rm -rf build/docs
	PATH="$(CURDIR)/$(BIN):$$PATH" OMP_NUM_THREADS=1 \
	  $(BIN)/python -m sphinx -W --keep-going -n -q -j 2 -b html docs build/docs
	$(BIN)/python docs/try/build.py build/docs/try
	$(BIN)/python docs/check_links.py build/docs
	SNN_SYNTH_SITE=build/docs $(BIN)/python -m pytest -q -n 0 tests/test_site.py -k built_site

# The page that needs no server, in build/docs/try: docs/web.md
try-page: $(READY)
	$(BIN)/python docs/try/build.py build/docs/try

.venv/docs-ready: $(READY)
	$(BIN)/pip install $(PIP) -c constraints.txt -e '.[demo,docs]'
	touch .venv/docs-ready

# torch first and alone, so that nothing else chooses which build of it comes.
$(READY): pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install $(PIP) -c constraints.txt torch
	$(BIN)/pip install $(PIP) -c constraints.txt -e '.[demo,test]'
	touch $(READY)

$(BIN)/pip:
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv build dist runs .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find snn_synth tests -name __pycache__ -prune -exec rm -rf {} +
