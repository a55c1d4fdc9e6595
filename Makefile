# `make` lists what there is. Everything is installed into this folder, from locks with hashes.

.DEFAULT_GOAL := help
SHELL := /bin/bash

PORT ?= 4566
SAM_PORT ?= 3000
LOCAL_DIR ?= .local
DETACH ?=
SAM_ARGS ?=
EVENT ?=
FUNCTION ?=
SEGMENTS ?=
BUSINESS ?=
FORMAT ?=
OUT ?=
FROM ?=
TO ?=
QUEUE ?= requests
DRY ?=
BENCH_ARGS ?=
URL ?=
VARIANT ?=
LOCATION ?=
SECONDS ?= 30
TARGET ?=
SEED ?=
SEEDS ?=
MINUTES ?= 5
CRASHES ?=
MODULES ?=
# These decide what in AWS is touched, and how, so they count on make's own command line alone (`=`, not `?=`): somebody
# who exported STACK for a look at production and then types `make redrive` means the local stack.
STAGE =
STACK =
AT_ONCE =
export LOCAL_DIR

PYTHON := .venv/bin/python
PROJECT := .venv/.installed
SAM := .venv-sam/.installed
EMULATOR := .venv-emulator/.installed
FUZZER := .venv-fuzz/.installed
MUTATION := .venv-mutation/.installed
CHECKOV := .venv-checkov/.installed
DYNOXIDE := .dynoxide/.installed
LOCK := local/locks

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environments ---------------------------------------------------------------------------------------------------
# A stamp is written last, so an installation that was interrupted is started over. It is a copy of the lock: a lock with
# a new date but the same content is installed already, a changed one is installed into an empty environment. Compiling
# is left to the first import: most of what is installed is never imported, and compiling all of it takes half the time.

$(PROJECT): $(LOCK)/project.txt
$(SAM): $(LOCK)/sam.txt
$(EMULATOR): $(LOCK)/emulator.txt
$(FUZZER): $(LOCK)/fuzz.txt
$(MUTATION): $(LOCK)/mutation.txt
$(CHECKOV): $(LOCK)/checkov.txt
$(PROJECT) $(SAM) $(EMULATOR) $(FUZZER) $(MUTATION) $(CHECKOV):
	@if cmp -s $< $@; then touch $@; exit; fi; \
	python=$$(local/find-python.sh) || exit 1; \
	echo "$(@D): installing from $< ..."; \
	rm -rf $(@D) && "$$python" -m venv $(@D) && \
	$(@D)/bin/python -m pip install -qq --no-compile --disable-pip-version-check --no-input --require-hashes -r $< && \
	cp $< $@ && echo "$(@D): ready after $$SECONDS s"

# A second engine of DynamoDB's API, which comes by npm only: nothing that `make run` or `make test` need.
$(DYNOXIDE): $(LOCK)/dynoxide/package-lock.json
	@command -v npm >/dev/null || { echo "npm is needed for this: install Node.js" >&2; exit 1; }
	@rm -rf $(@D) && mkdir $(@D) && cp $(LOCK)/dynoxide/package*.json $(@D) && \
	npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --silent && cp $< $@ && echo "$(@D): ready"

# They do not depend on each other: `$(call install,…)` installs what is missing at the same time.
install = { ls $(1) >/dev/null 2>&1 || local/find-python.sh >/dev/null; } && $(MAKE) --no-print-directory --silent -j3 $(1)

# --- the local stack ------------------------------------------------------------------------------------------------

.PHONY: run env stop reset logs redrive sam-local sam-invoke
run: ## the whole service on this machine, with demo data (PORT=4566, DETACH=1 to return when it is ready)
	@$(call install,$(PROJECT) $(SAM) $(EMULATOR))
	@$(PYTHON) -m local.stack run --port "$(PORT)" $(if $(filter-out 0 no false,$(DETACH)),--detach)

# Where nothing was ever installed nothing can run: these do not install it only to say so.
installed = [ -f $(PROJECT) ] || { echo "Nothing is running: \`make run\` was never called here."; exit 0; }

env: ## address, token and ids of the demo's first business as shell variables: eval "$$(make -s env)"
	@[ -f $(PROJECT) ] || { echo "nothing is running: make run was never called here" >&2; exit 1; }
	@$(PYTHON) -m local.stack env

stop: ## stop what `make run` started; its data is kept
	@$(installed); $(PYTHON) -m local.stack stop

reset: ## forget the local data
	@$(installed); $(PYTHON) -m local.stack reset

logs: ## follow what the functions log
	@$(installed); $(PYTHON) -m local.stack logs

redrive: $(PROJECT) ## move a dead end's messages back to the requests queue (QUEUE=requests|invocations, DRY=1, STACK=…)
	@$(PYTHON) -m local.redrive --queue "$(QUEUE)" $(if $(filter-out 0 no false,$(DRY)),--dry-run) --stack "$(STACK)"

sam-local: ## the API under `sam local start-api`, in Docker, on the local stack's tables (SAM_PORT=3000, SAM_ARGS=…)
	@$(call install,$(PROJECT) $(SAM) $(EMULATOR))
	@$(PYTHON) -m local.stack sam-local --port "$(PORT)" --sam-port "$(SAM_PORT)" --sam-args="$(SAM_ARGS)"

sam-invoke: ## one function under `sam local invoke` (FUNCTION=CreateAdjustmentFunction EVENT=events/….json)
	@$(call install,$(PROJECT) $(SAM) $(EMULATOR))
	@$(PYTHON) -m local.stack sam-invoke --port "$(PORT)" --function "$(FUNCTION)" --event "$(EVENT)" --sam-args="$(SAM_ARGS)"

# --- operators' commands --------------------------------------------------------------------------------------------

.PHONY: audit export provision api-keys
audit: ## look for anything that does not add up, with a verdict as exit status (STACK=<name> for a stack in AWS, SEGMENTS=24)
	@{ $(call install,$(PROJECT)); } >&2
	@$(PYTHON) -m local.audit --stack="$(STACK)" --segments="$(SEGMENTS)"

export: ## all adjustments of a business as a file (BUSINESS=<id>, FORMAT=ndjson|csv, OUT=file or -, FROM=, TO=, STACK=)
	@{ $(call install,$(PROJECT)); } >&2
	@$(PYTHON) -m local.export --business="$(BUSINESS)" --format="$(FORMAT)" --out="$(OUT)" --from="$(FROM)" --to="$(TO)" --stack="$(STACK)"

provision: ## one of the operators' commands (PAYLOAD='{"command": …}', STACK=<name> for a stack in AWS)
	@{ $(call install,$(PROJECT)); } >&2
	@PAYLOAD="$${PAYLOAD-}" $(PYTHON) -m local.provision --stack="$(STACK)"

api-keys: ## give each business that has a token its API key in the usage plan of a stack in AWS (STACK=<name>)
	@{ $(call install,$(PROJECT)); } >&2
	@$(PYTHON) -m local.api_keys --stack="$(STACK)"

# --- quality --------------------------------------------------------------------------------------------------------

# No command here may look for credentials, send usage data or write outside of this folder.
sam = PATH="$(CURDIR)/.venv-sam/bin:$$PATH" SAM_CLI_TELEMETRY=0 __SAM_CLI_APP_DIR="$(CURDIR)/.aws-sam/settings" \
	.venv-sam/bin/python -m samcli

# In the order of the folders, one process from the first on, the other from the middle; who is done takes of the other's
# last ones. So one stack serves all end-to-end tests, which come first: to start one takes long.
IN_PARALLEL := --numprocesses=2 --dist=worksteal

.PHONY: test test-fast test-dynoxide test-deployed verify-deployed fuzz bench bench-gates mutation chaos contention soak lint format openapi capacity sdk-models
test: ## every test, and which branches of the package they miss; those that need the stack start one of their own
	@$(call install,$(PROJECT) $(SAM) $(EMULATOR))
	$(PYTHON) -m pytest $(IN_PARALLEL) --cov=inventory --cov-branch --cov-report=term-missing:skip-covered --durations=12

test-fast: $(PROJECT) ## the tests that need nothing but Python
	$(PYTHON) -m pytest $(IN_PARALLEL) tests/unit tests/property

# What remains out says what an engine bills, or needs queues and an API.
ELSEWHERE := $(filter-out %/test_round_trips.py %/test_redrive.py %/test_api_keys.py,$(wildcard tests/integration/test_*.py))

test-dynoxide: ## the tests on DynamoDB once more, on an engine that is not the emulator's; Linux on x86-64, needs npm
	@$(call install,$(PROJECT) $(DYNOXIDE))
	OTHER_ENGINE=1 $(PYTHON) -m pytest --numprocesses=2 --dist=loadfile $(ELSEWHERE)

test-deployed: $(PROJECT) ## the end-to-end tests on a stack in AWS, with your own credentials (STACK=inventory-adjustments-dev)
	@[ -n "$(STACK)" ] || { echo "which stack? for example: make test-deployed STACK=inventory-adjustments-dev" >&2; exit 1; }
	DEPLOYED_STACK="$(STACK)" $(PYTHON) -m pytest tests/e2e

# Tokens go by the environment, where make puts what stands on its command line: who lists processes sees arguments.
verify-deployed: ## whether a deployed API keeps its word, by HTTP alone (URL= TOKEN= BUSINESS= VARIANT=, LOCATION=, READ_TOKEN=)
	@{ $(call install,$(PROJECT)); } >&2
	@$(PYTHON) -m local.verify --url="$(URL)" --business="$(BUSINESS)" --variant="$(VARIANT)" --location="$(LOCATION)"

fuzz: $(FUZZER) ## coverage-guided fuzzing of what reads requests (SECONDS=30 for each target, TARGET=json|creation|…); Linux only
	@PYTHONPATH=layers/inventory .venv-fuzz/bin/python -m tests.fuzz --seconds "$(SECONDS)" $(if $(TARGET),--target "$(TARGET)")

lint: ## ruff, mypy, bandit, `sam validate --lint`, cfn-lint and checkov
	@$(call install,$(PROJECT) $(SAM) $(CHECKOV))
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy functions layers/inventory local tests
	$(PYTHON) -m bandit --quiet --configfile pyproject.toml --recursive functions layers/inventory local events
	@mkdir -p .aws-sam/settings
	AWS_DEFAULT_REGION=us-east-1 $(sam) validate --lint
	.venv-sam/bin/python .venv-sam/bin/cfn-lint template.yaml
	.venv-checkov/bin/python -m checkov.main --config-file local/checkov.yaml

format: $(PROJECT) ## let ruff format and fix
	$(PYTHON) -m ruff check --fix --exit-zero
	$(PYTHON) -m ruff format

bench: ## starts, requests and calls beside baselines, and what merging saves (BENCH_ARGS=…; not part of make test)
	@$(call install,$(PROJECT) $(SAM) $(EMULATOR))
	@PYTHONPATH=layers/inventory $(PYTHON) -m tests.performance $(BENCH_ARGS)

bench-gates: $(PROJECT) ## fail where a start or a request takes more instructions than its target; needs valgrind
	@PYTHONPATH=layers/inventory $(PYTHON) -m tests.performance.gates

mutation: ## whether the tests notice faults put into the domain and the store (MODULES="adjust dynamodb"; not part of make test)
	@$(call install,$(MUTATION))
	@.venv-mutation/bin/python -m tests.mutation $(MODULES)

sdk-models: $(PROJECT) ## write the cut-down descriptions of AWS services anew from the SDK that is locked
	PYTHONPATH=layers/inventory $(PYTHON) -m local.sdk_models

contention: $(PROJECT) ## many writers on one stock item, in virtual time: writes docs/contention.md, the table of docs/performance.md and the curve
	@PYTHONPATH=layers/inventory $(PYTHON) -m tests.simulation contention

soak: $(PROJECT) ## millions of simulated steps with faults, judged (SEEDS=10000 histories, SEED=… replays one)
	@SEED="$(SEED)" SEEDS="$(SEEDS)" PYTHONPATH=layers/inventory $(PYTHON) -m tests.simulation soak

chaos: ## real faults on a stack of its own, 64 clients: is what was acknowledged there, once? (MINUTES=5, SEED=, CRASHES=1)
	@$(call install,$(PROJECT) $(SAM) $(EMULATOR) $(if $(crashes),$(DYNOXIDE)))
	@PYTHONPATH=layers/inventory $(PYTHON) -m tests.chaos --minutes "$(MINUTES)" $(if $(SEED),--seed "$(SEED)") \
	$(if $(crashes),--crashes)

# With the tables in another engine, whose process is killed as well, six times a minute. Linux on x86-64, with npm.
chaos: crashes = $(filter-out 0 no false,$(CRASHES))

openapi: $(PROJECT) ## write the API's description anew from the models that validate
	PYTHONPATH=layers/inventory $(PYTHON) -m local.openapi

capacity: $(PROJECT) ## write the tables of docs/capacity.md anew from the template
	PYTHONPATH=layers/inventory $(PYTHON) -m local.capacity

# --- AWS ------------------------------------------------------------------------------------------------------------

.PHONY: build deploy
build: $(SAM) ## what a deployment would upload, into .aws-sam/build
	@mkdir -p .aws-sam/settings
	$(sam) build --cached --parallel

# What stands in this file comes last in samconfig.toml, and so wins over what is written there.
deploy: $(PROJECT) ## build, and deploy to AWS with your own credentials (STAGE=dev|prod, see samconfig.toml; AT_ONCE=1, SAM_ARGS=…)
	@[ -n "$(STAGE)" ] || { echo "which stage? for example: make deploy STAGE=dev" >&2; exit 1; }
	@$(MAKE) --no-print-directory build
	@echo "CodeVersion: $$($(PYTHON) -m local.code_version)" > .aws-sam/this-deployment.yaml
	@$(if $(filter-out 0 no false,$(AT_ONCE)),echo "DeploymentPreference: AllAtOnce" >> .aws-sam/this-deployment.yaml,:)
	$(sam) deploy --config-env "$(STAGE)" $(SAM_ARGS)

# --- housekeeping ---------------------------------------------------------------------------------------------------

uv = .venv-uv/bin/uv pip compile --quiet --python-version 3.13 --universal --generate-hashes --no-header --no-emit-index-url

.PHONY: lock clean
lock: ## resolve the locks anew from the .in files (UPGRADE=1 takes the newest that they allow)
	@python=$$(local/find-python.sh) || exit 1; \
	[ -x .venv-uv/bin/uv ] || { "$$python" -m venv .venv-uv && .venv-uv/bin/python -m pip install --quiet uv; }
	$(uv) $(if $(UPGRADE),--upgrade) layers/dependencies/requirements.in --output-file layers/dependencies/requirements.txt
	$(uv) $(if $(UPGRADE),--upgrade) $(LOCK)/project.in --output-file $(LOCK)/project.txt
	$(uv) $(if $(UPGRADE),--upgrade) $(LOCK)/sam.in --output-file $(LOCK)/sam.txt
	$(uv) $(if $(UPGRADE),--upgrade) $(LOCK)/emulator.in --output-file $(LOCK)/emulator.txt
	$(uv) $(if $(UPGRADE),--upgrade) $(LOCK)/fuzz.in --output-file $(LOCK)/fuzz.txt
	$(uv) $(if $(UPGRADE),--upgrade) $(LOCK)/mutation.in --output-file $(LOCK)/mutation.txt
	$(uv) $(if $(UPGRADE),--upgrade) $(LOCK)/checkov.in --output-file $(LOCK)/checkov.txt
	@rm -rf .venv-uv

clean: ## stop the local stack and remove everything that make made, the local data too
	@if [ -f $(PROJECT) ]; then $(PYTHON) -m local.stack stop; fi
	rm -rf $(LOCAL_DIR) .aws-sam .dynoxide .venv .venv-sam .venv-emulator .venv-fuzz .venv-mutation .venv-checkov .venv-uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
