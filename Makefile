# Every target a person or CI needs; `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 3000
ENV ?= default
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help run demo test test-artifacts test-sdks test-browser torture benchmark check validate lint fmt types contracts openapi account build deploy destroy lock clean

help: ## List the targets
	@if [ -t 1 ] && [ -z "$$NO_COLOR" ]; then on='\033[1m' off='\033[0m'; fi; \
	awk -v on="$$on" -v off="$$off" 'BEGIN {FS = ":.*## "} \
	  /^[a-z-]+:.*## / {printf "  %s%-15s%s %s\n", on, $$1, off, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "EventStream needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Name another: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "python3 could not make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

# What running the pipeline needs, and on top of it what testing needs. Hashes are checked.
$(VENV)/.local: requirements/local.txt pyproject.toml | $(BIN)/python
	@echo "installing what the local pipeline needs (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/local.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.local
	@echo "installing what the tests need (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

run: $(VENV)/.local ## Start the pipeline here, load 96 hours of demo traffic, show results, keep serving
	@$(BIN)/eventstream demo --keep --port $(PORT)

demo: $(VENV)/.local ## The same without staying: exits 0 when every number agrees
	@$(BIN)/eventstream demo --port $(PORT)

test: check ## All suites that need no AWS account, and the local end-to-end run
	$(BIN)/python -m pytest -q -rs -n auto --dist worksteal -m "not artifacts and not e2e and not sdks and not browser"
	$(BIN)/python -m pytest -q -rs -n 2 --dist loadfile --no-loadscope-reorder -m e2e tests/e2e tests/functional/local tests/sdks

check: lint types contracts ## Lint, types, import contracts and template: what must hold before a commit

lint: $(VENV)/.dev ## Ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

fmt: $(VENV)/.dev ## Rewrite to the house format
	$(BIN)/ruff check --fix-only --exit-zero .
	$(BIN)/ruff format .

types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

openapi: $(VENV)/.local ## Write docs/openapi.json, and the copy that is served, anew from the code
	$(BIN)/python -m eventstream.openapi

test-artifacts: $(VENV)/.dev ## sam build, then run the built functions under Lambda's own emulator (needs Python 3.12)
	scripts/artifacts/tools.sh
	$(BIN)/python -m pytest -q -rs -m artifacts tests/artifacts

# Node.js comes from PyPI where the machine has none that is new enough.
test-sdks: $(VENV)/.dev ## Client libraries for Node.js against the local pipeline, faults included
	@PYTHON=$(BIN)/python scripts/sdks/node.sh >/dev/null
	$(BIN)/python -m pytest -q -rs -m sdks tests/sdks

test-browser: $(VENV)/.dev ## Pages in headless Chromium against the local pipeline (root: installs Chromium by apt-get)
	@scripts/sdks/chromium.sh >/dev/null
	@PYTHON=$(BIN)/python scripts/sdks/node.sh >/dev/null
	$(BIN)/python -m pytest -q -rs -m browser tests/sdks

# docs/testing.md says how long each part takes, and how to run one alone.
torture: $(VENV)/.dev ## The fault suites, and a million random requests, at full length: hours
	$(BIN)/python -m pytest -q -n auto --dist worksteal tests/faults -k "not any_order and not that_arrived" --schedules 10000 --runs 2000 --interleavings 50000
	$(BIN)/python -m pytest -q -n auto tests/faults/test_sessions.py -k "any_order or that_arrived" --schedules 20000
	$(BIN)/python -m pytest -q tests/e2e/test_killed_process.py --kills 100
	$(BIN)/python -m pytest -q -n auto tests/torture --bodies 1000000 --samples 20000 --put-schedules 20000 --examples 1000 --api-examples 200

benchmark: $(VENV)/.dev ## What a request and a batch cost, beside typical functions (ratios; on a quiet machine)
	@PYTHONPATH=src $(BIN)/python -m benchmarks.ingest; ingest=$$?; \
	PYTHONPATH=src $(BIN)/python -m benchmarks.process && exit $$ingest

validate: $(VENV)/.dev ## sam validate --lint (installs the SAM CLI into .tools)
	scripts/artifacts/tools.sh
	scripts/artifacts/sam.sh validate --lint

build: $(VENV)/.dev ## sam build, with compiled bytecode (needs Python 3.12)
	scripts/artifacts/tools.sh
	scripts/artifacts/build.sh

account: $(VENV)/.local
	@$(BIN)/python scripts/account.py

deploy: account build ## Deploy to your AWS account; ENV=default|staging|prod picks the section of samconfig.toml
	scripts/artifacts/sam.sh deploy --config-env $(ENV)

destroy: $(VENV)/.local ## Empty the buckets and delete the stack; KEEP_DATA=1 keeps the buckets
	$(BIN)/python scripts/destroy.py --config-env $(ENV) $(if $(KEEP_DATA),--keep-data)

lock: $(VENV)/.dev ## Write requirements/*.txt and src/*/requirements.txt anew from pyproject.toml
	scripts/lock.sh

clean: ## Remove what was built or installed here, and the local pipeline's state
	@[ ! -x $(BIN)/eventstream ] || $(BIN)/eventstream stop >/dev/null 2>&1 || true
	rm -rf $(VENV) .tools .sdks tests/sdks/node/node_modules .aws-sam .eventstream .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
