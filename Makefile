# The two commands of the README are `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test check test-long oracle .venv-oracle benchmarks lock clean help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venv/demo.stamp  ## pre-train, fine-tune, compare with training from scratch, export and check two models
	$(BIN)/python recipes/quickstart.py

test: .venv/test.stamp check  ## check the code and run the tests
	$(BIN)/python -m pytest -n 2

check: .venv/test.stamp  ## ruff, format, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

oracle: .venv-oracle/oracle.stamp  ## compare with PyTorch and Transformers, in an environment of its own
	.venv-oracle/bin/python -m pytest -m oracle

.venv-oracle: .venv-oracle/oracle.stamp  ## the environment with PyTorch and Transformers

benchmarks: .venv/test.stamp .venv-oracle  ## quality and speed
	$(BIN)/python benchmarks/quality.py
	$(BIN)/python benchmarks/speed.py

lock:  ## refresh constraints.txt with the newest versions that the ranges allow
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --upgrade pip
	.venv-lock/bin/python -m pip install --quiet . --group test --group oracle
	.venv-lock/bin/python -m pip freeze --all --exclude tfpretune | grep == | sed 's/+.*//' > constraints.txt
	rm -rf .venv-lock build *.egg-info

define install  # the environment, its groups
	test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "$$(grep ^pip== constraints.txt || echo 'pip>=25.1')"
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable . $(2)
	@touch $@
endef

.venv/%.stamp: pyproject.toml constraints.txt
	$(call install,.venv,--group $*)

.venv-oracle/oracle.stamp: pyproject.toml constraints.txt
	$(call install,.venv-oracle,--group test --group oracle)

clean:  ## remove the environment and what runs left
	rm -rf .venv .venv-oracle runs saved_models build *.egg-info
