# Every target does its own set-up: a machine with Python 3.11 and nothing else is enough.
# SNN_SYNTH_DATA (a folder with the real data sets) is passed through to everything that runs.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
# pip would compile every module; most are never imported, and Python compiles those that are.
PIP := --quiet --disable-pip-version-check --no-compile
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test lint coverage journey fuzz trust mutants docs try-page paper test-python test-oldest test-newest \
	test-snntorch-main test-extras times audit dist clean

demo: .venv/demo-ready
	$(BIN)/snn-synth demo

# OMP_NUM_THREADS=1: each of the test workers has one core, and torch would give each of them all cores.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms \
	  $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	$(BIN)/check-jsonschema --builtin-schema vendor.citation-file-format CITATION.cff

# Which lines the tests run, in build/coverage.xml; what numba compiles is not seen.
coverage: $(READY)
	$(BIN)/pip install $(PIP) pytest-cov
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --cov=snn_synth \
	  --cov-report=term --cov-report=xml:build/coverage.xml $(TESTS)

# All tests, and the seconds of the files that take longest: make times TESTS=tests/data
times: $(READY)
	rm -f build/tests.xml
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder \
	  --junit-xml build/tests.xml $(TESTS); failed=$$?; $(BIN)/python tests/times.py build/tests.xml && exit $$failed

# Is a vulnerability known of a version in constraints.txt? "Error 1": yes. "Error 3": it could not look.
audit: | $(BIN)/pip
	$(BIN)/pip install $(PIP) -c constraints.txt pip-audit
	$(BIN)/python tests/audit.py

# The ways of a newcomer, in a fresh clone with a fresh environment: README, own WAV, own data, a sweep.
journey:
	$(PYTHON) tests/journey.py

# Damaged files for every parser: make fuzz N=20000, and others by make fuzz SEED=1
SEED ?= 0
fuzz: N ?= 20000
fuzz: $(READY)
	SNN_SYNTH_FUZZ=$(N) SNN_SYNTH_FUZZ_SEED=$(SEED) OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/fuzz -n auto --dist load

# Everything that might lose work, let something in or give another answer, scaled by one number, and a table of it in
# build/trust: make trust N=1000 kills a thousand times, reads 38,000 damaged files by most parsers, and tries whether tests
# notice 100 changes of the code.
TRUSTED = kills load world files exploits slow
kills = tests/trust/test_kills_in_training.py tests/trust/test_kills_of_commands.py tests/experiments/sweep/test_kills.py
load = tests/trust/test_load_of_sweeps.py tests/trust/test_load_of_training.py tests/trust/test_load_of_try_page.py \
	tests/trust/test_load_of_web.py
world = tests/trust/test_signals.py tests/trust/test_world.py tests/cli/test_full_disk.py tests/cli/test_folder.py \
	tests/data/test_cache.py tests/test_determinism.py
files = tests/fuzz
exploits = tests/training/test_trust.py tests/training/test_reading_bounds.py tests/cli/test_imports.py \
	tests/interop/test_nir_files.py tests/experiments/sweep/test_file.py tests/data/test_fad.py
slow = tests/trust/test_cards.py tests/evaluation/test_samples.py tests/experiments/bench/test_gpu.py
trust: N ?= 100
trust: $(READY)
	mkdir -p build/trust
	rm -f build/trust/*
	-$(foreach part,$(TRUSTED),SNN_SYNTH_TRUST=$(N) SNN_SYNTH_FUZZ=$$((38 * $(N))) SNN_SYNTH_FUZZ_SEED=$(SEED) \
	  OMP_NUM_THREADS=1 $(BIN)/python -m pytest $($(part)) -n auto --dist load --junit-xml build/trust/$(part).xml;)
	-OMP_NUM_THREADS=1 $(BIN)/python -m tests.mutants --number $$((($(N) + 9) / 10)) --seed $(SEED) --out build/trust/mutants.json
	$(BIN)/python -m tests.trust.report build/trust --scale $(N) --parts $(TRUSTED) mutants

# Do the tests notice a change of the code? Some drawn by seed: make mutants N=100 SEED=1 MODULES='functional neurons.py'
MODULES ?=
mutants: N ?= 100
mutants: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.mutants $(MODULES) --number $(N) --seed $(SEED)

# The tests in another environment; TESTS narrows what runs: make test-oldest TESTS=tests/functional
#   test-python  another Python, under constraints.txt: make test-python PY=3.13
#   test-oldest  the oldest versions that pyproject.toml admits
#   test-newest  whatever pip finds today
#   test-snntorch-main  snnTorch's main branch, all else under constraints.txt: the tests of what we rely on in it
PY ?= 3.13
TESTS ?=
# pyenv keeps Pythons that are not chosen out of the PATH.
FOUND = $(shell for p in python$(PY) $$HOME/.pyenv/versions/$(PY)*/bin/python; do \
	"$$p" -c 0 2>/dev/null && { echo "$$p"; break; }; done)
test-python:
	@test -n "$(FOUND)" || { echo "Expected Python $(PY) as python$(PY) or under pyenv, got none"; exit 2; }
	$(call tested,.venv-$(PY),$(FOUND),-c constraints.txt)

test-oldest:
	mkdir -p build
	$(PYTHON) tests/oldest.py > build/oldest.txt
	$(call tested,.venv-oldest,$(PYTHON),-c build/oldest.txt)

test-newest:
	$(call tested,.venv-newest,$(PYTHON),)

# pip's output names the commit; it would keep the release, were its version the same.
snntorch-main = .venv-snntorch-main/bin/pip install --disable-pip-version-check --no-compile --no-deps \
	--force-reinstall git+https://github.com/jeshraghian/snntorch || \
	{ echo "Could not install snnTorch's main branch"; exit 3; }
test-snntorch-main: TESTS := $(or $(TESTS),$(addprefix tests/test_,snntorch.py neurons.py neuron_options.py drop_in.py))
test-snntorch-main:
	$(call tested,.venv-snntorch-main,$(PYTHON),-c constraints.txt,$(snntorch-main))

# An environment (1) of a Python (2) under constraints (3), a command after them (4), and the tests in it.
define tested
	$(2) -m venv $(1)
	$(1)/bin/pip install $(PIP) $(3) torch
	$(1)/bin/pip install $(PIP) $(3) -e '.[demo,test]'
	$(4)
	OMP_NUM_THREADS=1 $(1)/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(TESTS)
endef

# Nothing is installed: pip looks whether all extras go together, at their lower bounds or above, under constraints.txt.
test-extras: $(READY)
	$(BIN)/pip install $(PIP) --dry-run --ignore-installed -c constraints.txt '.[demo,web,export,hub,neurobench,docs,test]'

# The source distribution, the wheel built from it, and a check of both, in dist.
dist: $(READY)
	rm -rf dist
	$(BIN)/pip install $(PIP) build twine
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

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

# The paper, in build/paper.pdf; the journal makes its own PDF.
paper: $(READY)
	$(BIN)/pip install $(PIP) pypandoc_binary typst
	$(BIN)/python paper/build.py

# torch first and alone, so that nothing else chooses which build of it comes.
$(READY): pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install $(PIP) -c constraints.txt torch
	$(BIN)/pip install $(PIP) -c constraints.txt -e '.[demo,test]'
	touch $(READY)

# Without what only tests need.
.venv/demo-ready: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install $(PIP) -c constraints.txt torch
	$(BIN)/pip install $(PIP) -c constraints.txt -e '.[demo]'
	touch .venv/demo-ready

$(BIN)/pip:
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv .venv-* build dist runs .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find snn_synth tests -name __pycache__ -prune -exec rm -rf {} +
