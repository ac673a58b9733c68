# The two commands: `make check` and `make test`. Python 3.11+ and make are all they need.
PYTHON ?= python3
VENV := .venv
UV := $(VENV)/bin/uv
SERVER_VENV := .venv-server
MLFLOW_VERSION := 3.17.2

.PHONY: check test test-fast lint lock golden catalogue bench clean help

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

check: $(VENV)/.run  ## synthesize every environment, scan it, validate it where terraform is there, print what was made
	@$(VENV)/bin/python -m gatehouse check $(CHECK_FLAGS)

test: $(VENV)/.dev $(SERVER_VENV)/.done  ## every test; those that need terraform or PostgreSQL skip without them, except in CI
	$(VENV)/bin/pytest -n 2 --dist loadgroup

test-fast: $(VENV)/.dev  ## the tests that need neither terraform nor PostgreSQL nor MLflow
	$(VENV)/bin/pytest -m "not terraform and not postgres and not server"

lint: $(VENV)/.dev  ## linters and type checker
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/shellcheck templates/server/*.sh

golden: $(VENV)/.dev  ## write the golden files anew; review the diff
	$(VENV)/bin/pytest tests/synth --snapshot-update

catalogue: $(VENV)/.run $(SERVER_VENV)/.done  ## write the route catalogue of the pinned MLflow anew; review the diff
	$(VENV)/bin/gatehouse catalogue build --mlflow-python $(SERVER_VENV)/bin/python

bench: $(VENV)/.dev  ## synth times: stock and fast and their ratio; many teams, with the sizes of their policies; decisions a second; each stage of a check
	$(VENV)/bin/python benchmarks/synth.py
	$(VENV)/bin/python benchmarks/teams.py
	$(VENV)/bin/python benchmarks/access.py
	$(VENV)/bin/python benchmarks/matrix.py
	$(VENV)/bin/python benchmarks/proof.py
	$(VENV)/bin/python benchmarks/scan.py

lock: $(VENV)/.uv  ## resolve anew: requirements/*.txt and the server's requirements
	printf 'uv==0.13.8\n' | $(UV) pip compile -q --universal --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements/uv.txt -
	$(UV) pip compile -q --universal --generate-hashes --no-annotate --no-header --python-version 3.11 --group build --group dev -o requirements/dev.txt pyproject.toml
	$(UV) pip compile -q --universal --generate-hashes --no-annotate --no-header --python-version 3.11 --group build -c requirements/dev.txt -o requirements/run.txt pyproject.toml
	$(VENV)/bin/python tools/lock_server.py $(MLFLOW_VERSION)

clean:  ## remove what was made, except Terraform state
	rm -rf $(VENV) $(SERVER_VENV) cdktf.out .gatehouse

$(VENV)/.uv: requirements/uv.txt
	$(PYTHON) -c 'import sys; sys.exit("Gatehouse needs Python 3.11 or newer; this is %d.%d. Set PYTHON=python3.11." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(VENV)/.run: $(VENV)/.uv requirements/run.txt pyproject.toml
	$(UV) pip install --quiet --python $(VENV)/bin/python --no-deps --require-hashes -r requirements/run.txt
	$(UV) pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	$(UV) pip install --quiet --python $(VENV)/bin/python --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

# The very environment that an instance installs, from the same hash-checked file.
$(SERVER_VENV)/.done: $(VENV)/.uv templates/server/requirements/$(MLFLOW_VERSION).txt
	$(PYTHON) -m venv --clear --without-pip $(SERVER_VENV)
	$(UV) pip install --quiet --python $(SERVER_VENV)/bin/python --require-hashes --only-binary :all: -r templates/server/requirements/$(MLFLOW_VERSION).txt
	@touch $@
