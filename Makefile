# Two commands: `make demo` and `make check`. Both set themselves up with nothing but Python 3.11+
# and make; versions are those of constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# More processes than processors: many tests wait for a disk, a server or a child.
PROCESSORS := $(shell nproc 2> /dev/null || echo 2)
PYTEST := -m pytest --dist worksteal -n $(shell expr $(PROCESSORS) + 1)
PYTEST_WHOLE := -m pytest --dist worksteal -n $(shell expr $(PROCESSORS) + 2)
# Proofs of whole runs, and of every case there is. What they go through is measured in the other
# tests; without the measuring they are half as long.
WHOLE := $(addprefix tests/,book browser contract crash cron hostile machine manual scenarios secrets simulation \
  fleet/test_engine_killed.py fleet/test_engine_secrets.py apply/test_crash.py core/test_decision_table.py core/test_invariants.py core/test_typed_numbers.py \
  cli/test_sequence.py crm/test_cut.py crm/test_golden.py crm/test_golden_columns.py \
  crm/test_golden_truncation.py crm/test_manifest_cuts.py crm/test_source_queries.py notify/test_process.py \
  pbx/test_against_sandbox.py pbx/test_large.py report/test_html.py report/test_spreadsheet_programs.py \
  runs/test_nights.py test_packaging.py test_safety_manual.py)
# Folders with tests that a check runs in part (tests/amounts.py).
IN_PART = $(sort $(dir $(shell grep -rlE '^from amounts import .*(amount\b|PROVE)' tests --include='*.py')))

# Hundreds of commands are started by the tests; each would compile all our modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo check fix test lint types measured coverage whole bench prove clean system

demo: $(READY)
	$(BIN)/reconcile demo

# Types need one processor, so tests run beside them; and proofs beside the counting of lines.
check: system lint
	@$(MAKE) --no-print-directory -j2 types test

# What a test needs besides Python: systemd's own verifier reads the units in cron/, a real cron runs
# its line, queries and states are in real databases, strace lets each write of a run fail in
# turn, the page of a report opens in a browser, and its table in a spreadsheet program.
system:
	@missing=""; \
	command -v systemd-analyze > /dev/null || missing="$$missing systemd"; \
	command -v cron > /dev/null || missing="$$missing cron"; \
	command -v mariadbd > /dev/null || missing="$$missing mariadb-server"; \
	command -v strace > /dev/null || missing="$$missing strace"; \
	ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || missing="$$missing postgresql"; \
	command -v chromium > /dev/null || missing="$$missing chromium"; \
	command -v soffice > /dev/null || missing="$$missing libreoffice-calc"; \
	test -z "$$missing" || { \
	  echo "installing$$missing, for the tests"; \
	  apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; }

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

test: coverage whole

measured: $(READY)
	rm -f .coverage .coverage.*
	$(BIN)/coverage run $(PYTEST) $(WHOLE:%=--ignore=%)

coverage: measured
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

whole: measured
	$(BIN)/python $(PYTEST_WHOLE) $(WHOLE)

fix: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m reconcile.report.schema > docs/report.schema.json

bench: $(READY)
	$(BIN)/python benchmarks/dry_run.py
	$(BIN)/python benchmarks/against_peers.py
	$(BIN)/python benchmarks/listing.py
	$(BIN)/python benchmarks/deleting.py
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/small.py
	PYTHONPATH=tests $(BIN)/python benchmarks/fleet.py
	$(BIN)/python benchmarks/results.py

# What takes too long for a check: all of the tests that it runs in part, and a million cells, read
# in columns and one by one.
prove: $(READY)
	PROVE=1 $(BIN)/python $(PYTEST) $(IN_PART)
	PYTHONPATH=tests $(BIN)/python benchmarks/prove_numbers.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt mutmut
	PYTHONPATH=tests $(BIN)/python benchmarks/prove_mutants.py

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	  -c constraints.txt -e '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) build dist mutants *.egg-info .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache
