# `make` lists what there is. Everything is installed into this folder, from locks with hashes.

.DEFAULT_GOAL := help
SHELL := /bin/bash

# A value on make's command line is data. Left alone, make would replace a `$` in it, and run a `$(shell …)`.
$(foreach name,$(.VARIABLES),$(if $(findstring command,$(origin $(name))),\
	$(eval override $(name) := $$(value $(name)))$(eval export $(name))))

# So recipes read such a variable from the environment, as "$$NAME", and never write $(NAME).
# $(call option,NAME,--name) is an option with the value of NAME, or nothing where NAME is not set.
# $(call flag,NAME,--name) is `--name`, or nothing where NAME is not set or says no.
option = $${$(1):+"$(2)=$$$(1)"}
flag = $(if $(filter-out 0 no false,$(value $(1))),$(2))

# These decide what is touched in AWS, and how, so only make's own command line can set them: somebody who exported STACK
# to look at production, and then types `make redrive`, means the local stack.
STAGE =
STACK =
AT_ONCE =
export STAGE STACK AT_ONCE

PYTHON := .venv/bin/python
PROJECT := .venv/.installed
SAM := .venv-sam/.installed
EMULATOR := .venv-emulator/.installed
FUZZER := .venv-fuzz/.installed
MUTATION := .venv-mutation/.installed
CHECKOV := .venv-checkov/.installed
PARLIAMENT := .venv-parliament/.installed
DYNOXIDE := .dynoxide/.installed
SDKS := .venv-sdk-1.34/.installed .venv-sdk-1.38/.installed .venv-sdk-newest/.installed
IAM_SIMULATOR := .iam-simulator/.installed
ACCESSIBILITY := .accessibility/.installed
PYTHON_CLIENT := .venv-python-client/.installed
TYPESCRIPT_CLIENT := .typescript-client/.installed
OPENAPI_LINTERS := .openapi-linters/.installed
LOCK := tools/locks

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
	/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# --- environments ---------------------------------------------------------------------------------------------------
# A stamp is written last, so an installation that was interrupted starts over. It is a copy of the lock: a lock with a
# new date or other comments but the same packages is installed already, a changed one is installed into an empty
# environment. Files are compiled when they are first imported: most never are, and compiling all takes half the time.

$(PROJECT): $(LOCK)/project.txt
$(SAM): $(LOCK)/sam.txt
$(EMULATOR): $(LOCK)/emulator.txt
$(FUZZER): $(LOCK)/fuzz.txt
$(MUTATION): $(LOCK)/mutation.txt
$(CHECKOV): $(LOCK)/checkov.txt
$(PARLIAMENT): $(LOCK)/parliament.txt
$(PYTHON_CLIENT): $(LOCK)/python-client.txt
$(SDKS): .venv-%/.installed: $(LOCK)/%.txt
$(PROJECT) $(SAM) $(EMULATOR) $(FUZZER) $(MUTATION) $(CHECKOV) $(PARLIAMENT) $(SDKS) $(PYTHON_CLIENT):
	@if [ -f $@ ] && cmp -s <(sed '/^ *#/d' $<) <(sed '/^ *#/d' $@); then touch $@; exit; fi; \
	python=$$(tools/find-python.sh) || exit 1; \
	echo "$(@D): installing from $< ..."; \
	rm -rf $(@D) && "$$python" -m venv $(@D) && \
	$(@D)/bin/python -m pip install -qq --no-compile --disable-pip-version-check --no-input --require-hashes -r $< && \
	cp $< $@ && echo "$(@D): ready after $$SECONDS s"

# What is on npm only: a second engine of DynamoDB's API, one that decides as IAM does, a generator of clients, and judges
# of the API's description. `make run` needs none.
$(DYNOXIDE): $(LOCK)/dynoxide/package-lock.json
$(IAM_SIMULATOR): $(LOCK)/iam-simulator/package-lock.json
$(ACCESSIBILITY): $(LOCK)/accessibility/package-lock.json
$(TYPESCRIPT_CLIENT): $(LOCK)/typescript-client/package-lock.json
$(OPENAPI_LINTERS): $(LOCK)/openapi-linters/package-lock.json
$(DYNOXIDE) $(IAM_SIMULATOR) $(ACCESSIBILITY) $(TYPESCRIPT_CLIENT) $(OPENAPI_LINTERS):
	@command -v npm >/dev/null || { echo "npm is needed for this: install Node.js" >&2; exit 1; }
	@rm -rf $(@D) && mkdir $(@D) && cp $(<D)/package*.json $(@D) && \
	npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --silent && cp $< $@ && echo "$(@D): ready"

# The engines that `make test` uses where it can.
npm = $(shell command -v npm)
installable = $(if $(npm),$(IAM_SIMULATOR) $(ACCESSIBILITY))

# Environments do not depend on each other: `$(call install,…)` installs those that are missing at the same time.
install = { ls $(1) >/dev/null 2>&1 || tools/find-python.sh >/dev/null; } && $(MAKE) --no-print-directory --silent -j3 $(1)

##@ The local stack

.PHONY: run env stop reset logs sam-local sam-invoke
run: ## the whole service on this machine, with demo data (PORT=4566, DETACH=1 to return when it is ready, ALLOWED_ORIGIN=)
	@$(call install,$(PROJECT) $(SAM) $(EMULATOR))
	@$(PYTHON) -m local.stack run $(call option,PORT,--port) $(call flag,DETACH,--detach) $(call flag,RAW,--raw) \
	$(call option,ALLOWED_ORIGIN,--allowed-origin)

# Where nothing is installed nothing runs: these targets do not install it only to say so.
installed = [ -f $(PROJECT) ] || { echo "Nothing is running: \`make run\` was never called here."; exit 0; }

env: ## addresses, queue and bus, token and ids of the demo's first business as shell variables: eval "$$(make -s env)"
	@[ -f $(PROJECT) ] || { echo "nothing is running: make run was never called here" >&2; exit 1; }
	@$(PYTHON) -m local.stack env

stop: ## stop what `make run` started; its data is kept
	@$(installed); $(PYTHON) -m local.stack stop

reset: ## forget the local data
	@$(installed); $(PYTHON) -m local.stack reset

logs: ## follow the functions' logs, one short line for each request (RAW=1 for whole lines)
	@$(installed); $(PYTHON) -m local.stack logs $(call flag,RAW,--raw)

sam_local = $(call option,PORT,--port) $(call option,SAM_ARGS,--sam-args)

sam-local: ## the API under `sam local start-api`, in Docker, on the local stack's tables (SAM_PORT=3000, SAM_ARGS=…)
	@$(call install,$(PROJECT) $(SAM) $(EMULATOR))
	@$(PYTHON) -m local.stack sam-local $(sam_local) $(call option,SAM_PORT,--sam-port)

sam-invoke: ## one function under `sam local invoke` (FUNCTION=CreateAdjustmentFunction EVENT=events/….json)
	@$(call install,$(PROJECT) $(SAM) $(EMULATOR))
	@$(PYTHON) -m local.stack sam-invoke $(sam_local) $(call option,FUNCTION,--function) $(call option,EVENT,--event)

##@ Operating a stack: the local one, or one in AWS (STACK=<name>)

ops = $(PYTHON) -m ops

.PHONY: audit export import-catalog import-adjustments import-counts provision redrive api-keys reindex report verify-deployed
audit: ## look for anything that does not add up, with a verdict as exit status (SEGMENTS=24)
	@{ $(call install,$(PROJECT)); } >&2
	@$(ops) audit $(call option,STACK,--stack) $(call option,SEGMENTS,--segments)

export: ## all adjustments of a business as a file (BUSINESS=<id>, FORMAT=ndjson|csv, BOM=1, OUT=file or -, FROM=, TO=)
	@{ $(call install,$(PROJECT)); } >&2
	@$(ops) export $(call option,STACK,--stack) $(call option,BUSINESS,--business) $(call option,FORMAT,--format) \
	$(call option,OUT,--out) $(call option,FROM,--from) $(call option,TO,--to) $(call flag,BOM,--byte-order-mark)

import-catalog: ## variants with their opening stock, from CSV or JSON lines (FILE= BUSINESS=<id>, DRY=1)
	@{ $(call install,$(PROJECT)); } >&2
	@$(ops) import catalog $(call option,STACK,--stack) $(call option,BUSINESS,--business) $(call flag,DRY,--dry-run)

import_changes = $(call option,STACK,--stack) $(call option,BUSINESS,--business) $(call option,URL,--url) \
	$(call flag,BY_QUEUE,--by-queue) $(call flag,DRY,--dry-run)

import-adjustments: ## adjustments, from a file through the API or the queue (FILE= BUSINESS= TOKEN=, URL=, BY_QUEUE=1, DRY=1)
	@{ $(call install,$(PROJECT)); } >&2
	@$(ops) import adjustments $(import_changes)

import-counts: ## stock counts, from a file in the same ways (FILE= BUSINESS= TOKEN=, URL=, BY_QUEUE=1, DRY=1)
	@{ $(call install,$(PROJECT)); } >&2
	@$(ops) import counts $(import_changes)

provision: ## one of the operators' commands (PAYLOAD='{"command": …}')
	@{ $(call install,$(PROJECT)); } >&2
	@$(ops) provision $(call option,STACK,--stack)

redrive: $(PROJECT) ## move the messages of a dead-letter queue back (QUEUE=requests|invocations, DRY=1 only lists them)
	@$(ops) redrive $(call option,STACK,--stack) --queue="$${QUEUE:-requests}" $(call flag,DRY,--dry-run)

api-keys: ## give each business that has a token its API key in the usage plan of a stack in AWS
	@{ $(call install,$(PROJECT)); } >&2
	@$(ops) api-keys $(call option,STACK,--stack)

reindex: ## let lists of levels show stock items from before their index; may be repeated
	@{ $(call install,$(PROJECT)); } >&2
	@$(ops) reindex $(call option,STACK,--stack)

report: ## units lost and found by reason, of an API (URL= TOKEN= BUSINESS=, FROM=, TO=, LOCATION=, VARIANT=, SKU=, SVG=file)
	@{ $(call install,$(PROJECT)); } >&2
	@$(ops) report $(call option,URL,--url) $(call option,BUSINESS,--business) $(call option,FROM,--from) $(call option,TO,--to) \
	$(call option,LOCATION,--location) $(call option,VARIANT,--variant) $(call option,SKU,--sku) $(call option,SVG,--svg)

# Tokens stay in the environment: everybody on a machine can see the arguments of a command.
verify-deployed: ## check a deployed API by HTTP alone (URL= TOKEN= BUSINESS= VARIANT=, LOCATION=, READ_TOKEN=)
	@{ $(call install,$(PROJECT)); } >&2
	@$(ops) verify $(call option,URL,--url) $(call option,BUSINESS,--business) $(call option,VARIANT,--variant) \
	$(call option,LOCATION,--location)

# No command here may look for credentials, send usage data or write outside of this folder.
# The template has loops (Fn::ForEach), which the SAM CLI reads only with SAM_CLI_ENABLE_LANGUAGE_EXTENSIONS.
sam = env PATH="$(CURDIR)/.venv-sam/bin:$$PATH" SAM_CLI_TELEMETRY=0 SAM_CLI_ENABLE_LANGUAGE_EXTENSIONS=1 \
	__SAM_CLI_APP_DIR="$(CURDIR)/.aws-sam/settings" \
	.venv-sam/bin/python -m samcli

# Tests run in the order of the folders: one process begins with the first, the other in the middle, and the one that is
# done first takes over some of the other's last tests. So one stack serves all end-to-end tests, which come first.
IN_PARALLEL := --numprocesses=2 --dist=worksteal

##@ Tests and checks

.PHONY: test test-fast test-thorough test-dynoxide test-sdks test-deployed api-tools iam-simulator lint format fuzz mutation chaos soak
test: ## every test, and which branches of the package they miss; those that need the stack start one of their own
	@$(call install,$(PROJECT) $(SAM) $(EMULATOR) $(installable))
	$(PYTHON) -m pytest $(IN_PARALLEL) --cov=inventory --cov-branch --cov-report=term-missing:skip-covered --durations=12
	@$(if $(npm),,echo "Not run, because npm is missing: the simulation of IAM (tests/iam/test_permissions.py).")

test-fast: $(PROJECT) ## the tests that need nothing but Python
	$(PYTHON) -m pytest $(IN_PARALLEL) tests/unit tests/property

test-thorough: $(PROJECT) ## the property tests with all their random examples
	HYPOTHESIS_PROFILE=thorough $(PYTHON) -m pytest $(IN_PARALLEL) tests/property

# Left out are tests of what an engine bills, and tests that need queues, an API or no tables at all.
ELSEWHERE := $(filter-out %/test_round_trips.py %/test_redrive.py %/test_api_keys.py %/test_spreadsheet.py,$(wildcard tests/integration/test_*.py))

test-dynoxide: ## the tests on DynamoDB once more, on an engine that is not the emulator's; Linux on x86-64, needs npm
	@$(call install,$(PROJECT) $(DYNOXIDE))
	OTHER_ENGINE=1 $(PYTHON) -m pytest --numprocesses=2 --dist=loadfile $(ELSEWHERE)

test-sdks: ## what is sent and read, and every function, under other SDKs than the locked one and without anything else
	@$(call install,$(PROJECT) $(SDKS))
	OTHER_SDKS=1 $(PYTHON) -m pytest tests/sdk_versions

test-deployed: $(PROJECT) ## the end-to-end tests on a stack in AWS, with your own credentials (STACK=inventory-adjustments-dev)
	@[ -n "$$STACK" ] || { echo "which stack? for example: make test-deployed STACK=inventory-adjustments-dev" >&2; exit 1; }
	DEPLOYED_STACK="$$STACK" $(PYTHON) -m pytest tests/e2e

accessibility: $(ACCESSIBILITY) ## install what checks the accessibility of pages, so that `make test` runs its tests; needs npm

api-tools: ## install what generates clients and judges the API's description, so that `make test` runs those tests; needs npm
	@$(call install,$(PYTHON_CLIENT) $(TYPESCRIPT_CLIENT) $(OPENAPI_LINTERS))

iam-simulator: $(IAM_SIMULATOR) ## install what decides requests as IAM does, so that `make test` runs its tests; needs npm

EXPANDED := .aws-sam/expanded
# What transforms leave behind: parameters (W2), mappings (W7) and conditions (W8) that are no longer used, code that was
# not uploaded (W3002), and aliases in the copied nested template (W1101).
LEFT_OF_TRANSFORMS := W2001 W7001 W8001 W3002 W1101

lint: ## ruff, mypy, bandit, `sam validate --lint`, cfn-lint, checkov and parliament
	@$(call install,$(PROJECT) $(SAM) $(CHECKOV) $(PARLIAMENT))
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy functions layers/inventory ops local tools tests
	$(PYTHON) -m bandit --quiet --configfile pyproject.toml --recursive functions layers/inventory ops local tools events
	@mkdir -p .aws-sam/settings
	AWS_DEFAULT_REGION=us-east-1 $(sam) validate --lint
	.venv-sam/bin/python .venv-sam/bin/cfn-lint template.yaml
	.venv-sam/bin/python .venv-sam/bin/cfn-lint monitoring.yaml --ignore-checks W1101 # aliases, which SAM writes out
	$(PYTHON) -m tests.support.expanded $(EXPANDED)
	.venv-sam/bin/python .venv-sam/bin/cfn-lint $(EXPANDED)/{conditions,decided}/*.json --ignore-checks $(LEFT_OF_TRANSFORMS)
	.venv-checkov/bin/python -m checkov.main --config-file tools/checkov.yaml
	.venv-parliament/bin/python -W ignore -m parliament.cli --include_policy_extension .json --directory $(EXPANDED)/policies

format: $(PROJECT) ## let ruff format and fix
	$(PYTHON) -m ruff check --fix --exit-zero
	$(PYTHON) -m ruff format

# The shell has a SECONDS of its own, which counts.
unexport SECONDS
fuzz: export FUZZ_SECONDS = $(value SECONDS)
fuzz: $(FUZZER) ## coverage-guided fuzzing of what reads requests (SECONDS=30 for each target, TARGET=json|creation|…); Linux only
	@PYTHONPATH=layers/inventory .venv-fuzz/bin/python -m tests.campaigns.fuzz $(call option,FUZZ_SECONDS,--seconds) $(call option,TARGET,--target)

mutation: ## do the tests notice small faults? (MODULES="adjusting.loop storage.cache", SAMPLE=30, SEED=5; not part of make test)
	@$(call install,$(MUTATION))
	@PYTHONPATH=layers/inventory .venv-mutation/bin/python -m tools.with_words MODULES .venv-mutation/bin/python -m tests.campaigns.mutation $(call option,SAMPLE,--sample) $(call option,SEED,--seed)

chaos: ## real faults on a stack of its own, 64 clients: is each acknowledged request stored once? (MINUTES=5, SEED=, CRASHES=1)
	@$(call install,$(PROJECT) $(SAM) $(EMULATOR) $(call flag,CRASHES,$(DYNOXIDE)))
	@PYTHONPATH=layers/inventory $(PYTHON) -m tests.campaigns.chaos $(call option,MINUTES,--minutes) $(call option,SEED,--seed) \
	$(call flag,CRASHES,--crashes)

soak: $(PROJECT) ## millions of simulated steps with faults, each checked (SEEDS=10000 histories, SEED=… replays one)
	@PYTHONPATH=layers/inventory $(PYTHON) -m tests.simulation soak

##@ Measurements

.PHONY: bench bench-gates contention capacity
bench: build ## starts, requests and calls beside baselines, and what merging saves (BENCH_ARGS=…; not part of make test)
	@$(call install,$(PROJECT) $(SAM) $(EMULATOR))
	@PYTHONPATH=layers/inventory $(PYTHON) -m tools.with_words BENCH_ARGS $(PYTHON) -m tests.benchmarks

bench-gates: $(PROJECT) build ## fail where a start or a request takes more instructions than its target; needs valgrind
	@PYTHONPATH=layers/inventory $(PYTHON) -m tests.benchmarks.gates

contention: $(PROJECT) ## many writers on one stock item, in virtual time: writes docs/contention.md, the table of docs/performance.md and the curve
	@PYTHONPATH=layers/inventory $(PYTHON) -m tests.simulation contention

capacity: $(PROJECT) ## write the tables of docs/capacity.md anew from the template
	PYTHONPATH=layers/inventory $(PYTHON) -m tools.capacity

##@ Generated files

.PHONY: openapi iam sdk-models screenshots lock
openapi: $(PROJECT) ## write the API's description anew from the models that validate
	PYTHONPATH=layers/inventory $(PYTHON) -m tools.openapi

iam: ## decide each recorded call of AWS, and what must be denied; writes the tables of docs/security.md (needs npm)
	@$(call install,$(PROJECT) $(SAM) $(IAM_SIMULATOR))
	@PYTHONPATH=layers/inventory $(PYTHON) -m tests.iam

sdk-models: $(PROJECT) ## write the cut-down descriptions of AWS services anew from the SDK that is locked
	PYTHONPATH=layers/inventory $(PYTHON) -m tools.sdk_models

screenshots: ## take the pictures of the pages for docs/pictures again, on a stack of its own; needs Chromium
	@$(call install,$(PROJECT) $(SAM) $(EMULATOR))
	PYTHONPATH=layers/inventory $(PYTHON) -m tests.e2e.screenshots

uv = .venv-uv/bin/uv pip compile --quiet --python-version 3.13 --universal --generate-hashes --no-header --no-emit-index-url
LOCKS := layers/dependencies/requirements \
	$(addprefix $(LOCK)/,project sam emulator fuzz mutation checkov parliament sdk-1.34 sdk-1.38 sdk-newest python-client)

lock: ## resolve the locks anew from the .in files (UPGRADE=1 takes the newest that they allow)
	@python=$$(tools/find-python.sh) || exit 1; \
	[ -x .venv-uv/bin/uv ] || { "$$python" -m venv .venv-uv && .venv-uv/bin/python -m pip install --quiet uv; }
	for lock in $(LOCKS); do $(uv) $(call flag,UPGRADE,--upgrade) $$lock.in --output-file $$lock.txt || exit 1; done
	@rm -rf .venv-uv

##@ AWS

.PHONY: build deploy
build: $(SAM) ## what a deployment would upload, into .aws-sam/build
	@mkdir -p .aws-sam/settings
	$(sam) build --cached --parallel

# This file is named last in samconfig.toml, so its values win over those that are written there.
deploy: $(PROJECT) ## build, and deploy to AWS with your own credentials (STAGE=dev|prod, see samconfig.toml; AT_ONCE=1, SAM_ARGS=…)
	@[ -n "$$STAGE" ] || { echo "which stage? for example: make deploy STAGE=dev" >&2; exit 1; }
	@$(MAKE) --no-print-directory build
	@echo "CodeVersion: $$($(PYTHON) -m tools.code_version)" > .aws-sam/this-deployment.yaml
	@$(or $(call flag,AT_ONCE,echo "DeploymentPreference: AllAtOnce" >> .aws-sam/this-deployment.yaml),:)
	$(PYTHON) -m tools.with_words SAM_ARGS $(sam) deploy --config-env "$$STAGE"

##@ Housekeeping

.PHONY: clean
clean: ## stop the local stack and remove everything that make made, the local data too
	@if [ -f $(PROJECT) ]; then $(PYTHON) -m local.stack stop; fi
	rm -rf -- "$${LOCAL_DIR:-.local}" .aws-sam .dynoxide .iam-simulator .accessibility .venv .venv-sam .venv-emulator .venv-fuzz .venv-mutation .venv-checkov .venv-parliament .venv-sdk-* .venv-python-client .typescript-client .openapi-linters .venv-uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
