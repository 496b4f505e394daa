# The jobs of the project. `make` alone lists them; each makes .venv and installs what it needs first.

PYTHON ?= python3
RUN := .venv/bin/python
NOTEBOOKS := $(wildcard notebooks/*.ipynb)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo lab handout test check bench notebooks conform fuzz screenshots validate audit mutants

help: ## List these jobs.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

demo: .venv/.ready-to-run ## Put the payment outage through all four architectures: table, verdict, charts in out/demo.
	@$(RUN) -m edasim demo

lab: .venv/.ready-for-lab ## Open the notebooks in JupyterLab; Ctrl-C stops it.
	@$(RUN) -m edasim lab

handout: .venv/.ready-to-run ## Write the students' copies of the notebooks, without the solutions, to out/handout.
	@$(RUN) -m edasim.handout out/handout

test: .venv/.ready-to-work ## Run all tests on two cores.
	@$(RUN) -m pytest -n 2 --dist loadgroup -m "not notebooks and not live_kafka"

notebooks: .venv/.ready-to-work ## Run each notebook, by itself and in a real JupyterLab, the app and the report, and see that their texts are true.
	@$(RUN) -m pytest -n 2 --dist loadgroup -m notebooks

conform: .venv/.ready-to-work ## Start three real Kafka brokers and see that they do what was recorded (Java 17, Maven; 5 minutes).
	@$(RUN) -m pytest -m live_kafka

check: .venv/.ready-to-work ## Look for mistakes without running anything: ruff, mypy, codespell, notebooks without outputs.
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(RUN) -m codespell_lib
	$(if $(NOTEBOOKS),$(RUN) -m nbstripout --verify $(NOTEBOOKS),@echo "There are no notebooks to look at.")

bench: .venv/.ready-to-work ## Measure the speed beside two plain models and Ciw, and write docs/benchmarks.md.
	@$(RUN) benchmarks/bench.py --write docs/benchmarks.md

fuzz: .venv/.ready-to-work ## Run 10,000 random scenarios and mutated files (SEED=123 runs one again, FROM=123 goes on there).
	@$(RUN) -m tools.fuzz $(if $(SEED),--seed $(SEED),--from $(or $(FROM),1) --number $(or $(NUMBER),10000))
	$(if $(SEED),,@$(RUN) -m tools.mutate $(or $(FROM),1) $(or $(NUMBER),10000))

validate: .venv/.ready-to-run ## Compare the engine with 67 laws at full size, on two cores, and write docs/validation.md (25 minutes).
	@$(RUN) -m edasim validate --workers 2 --out docs

audit: .venv/.ready-to-run ## See whether the error bars are true and write docs/audit.md (two hours; what was stopped goes on).
	@$(RUN) -m edasim.study.audit --workers 2

mutants: .venv/.ready-to-work ## Plant defects in a copy and see that a law or a test catches each; writes docs/mutants.md.
	@$(RUN) tools/mutants.py

screenshots: .venv/.ready-to-work ## Take the pictures of the lab in docs/images from a real browser (it needs chromium).
	@$(RUN) tools/screenshots.py

# A .venv that cannot run pip is made anew, so that an interrupted first call does no harm.
define make_venv
@$(RUN) -m pip --version > /dev/null 2>&1 || { \
	command -v $(PYTHON) > /dev/null || { \
		echo "edasim needs Python 3.11 or newer, and there is no $(PYTHON) here: install one, or name yours, as in make demo PYTHON=/path/to/python3.12."; exit 1; }; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "edasim needs Python 3.11 or newer, and $(PYTHON) is older: name a newer one, as in make demo PYTHON=python3.12."; exit 1; }; \
	$(PYTHON) -c 'import venv, ensurepip' 2> /dev/null || { \
		echo "$(PYTHON) has no venv module: install it (on Debian and Ubuntu: sudo apt-get install python3-venv) and try again."; exit 1; }; \
	echo "Making .venv"; $(PYTHON) -m venv --clear .venv; }
endef

define install
@echo "Installing into .venv (this takes a minute or two, once)"
@$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable "$(1)"
@touch $@
endef

.venv/.ready-to-run: pyproject.toml constraints.txt
	$(make_venv)
	$(call install,.)

.venv/.ready-for-lab: pyproject.toml constraints.txt
	$(make_venv)
	$(call install,.[lab])

.venv/.ready-to-work: pyproject.toml constraints.txt
	$(make_venv)
	$(call install,.[dev$(comma)lab])

comma := ,
