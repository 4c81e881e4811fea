# Every target that a person runs has one line of help behind `##`; `make help` prints them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
UV := .venv/bin/uv
PY := .venv/bin/python
LOCAL_CLUSTER := PYTHONPATH=local-cluster $(PY) -m localcluster
export SSL_CERT_FILE ?= $(wildcard /etc/ssl/certs/ca-certificates.crt)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environments ------------------------------------------------------------------------------
.venv/.stamp: requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: apt-get install python3 (Debian 12+)"; exit 1; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv || { rm -rf .venv; echo "venv is missing: apt-get install python3-venv"; exit 1; }
	@test -x $(UV) || .venv/bin/python -m pip install --quiet "$$(grep -o '^uv==[^ ]*' requirements/dev.lock)"
	@$(UV) pip sync --quiet --python .venv/bin/python --require-hashes requirements/dev.lock
	@touch $@

.venv-server/.stamp: requirements/server-dev.lock .venv/.stamp
	@test -x .venv-server/bin/python || $(PYTHON) -m venv .venv-server
	@$(UV) pip sync --quiet --python .venv-server/bin/python --require-hashes requirements/server-dev.lock
	@touch $@

.venv-frameworks/.stamp: requirements/frameworks.lock .venv/.stamp
	@test -x .venv-frameworks/bin/python || $(PYTHON) -m venv .venv-frameworks
	@$(UV) pip sync --quiet --python .venv-frameworks/bin/python --require-hashes requirements/frameworks.lock
	@touch $@

.PHONY: venv
venv: .venv/.stamp .venv-server/.stamp ## both Python environments, from their lock files

COMPILE := $(UV) pip compile --quiet --no-header --generate-hashes --python-version 3.11 pyproject.toml
.PHONY: lock
lock: ## renew every lock file from pyproject.toml
	$(COMPILE) --extra operator -o operator/requirements.lock
	$(COMPILE) --extra operator --extra dev -c operator/requirements.lock -o requirements/dev.lock
	$(COMPILE) --extra server --extra server-dev -o requirements/server-dev.lock
	$(COMPILE) --extra server -c requirements/server-dev.lock -o runtime-image/requirements.lock  # what is tested is what ships
	$(COMPILE) --extra server-pytorch -c runtime-image/requirements.lock --python-platform x86_64-manylinux_2_28 -o runtime-image/requirements-pytorch.lock
	$(COMPILE) --extra server-tensorflow -c runtime-image/requirements.lock --python-platform x86_64-manylinux_2_28 -o runtime-image/requirements-tensorflow.lock
	$(COMPILE) --extra server --extra server-dev --extra server-pytorch --extra server-tensorflow -c requirements/server-dev.lock -c runtime-image/requirements-pytorch.lock -c runtime-image/requirements-tensorflow.lock --python-platform x86_64-manylinux_2_28 -o requirements/frameworks.lock
	$(COMPILE) --extra server-gpu -c runtime-image/requirements.lock --python-platform x86_64-manylinux_2_28 -o runtime-image/requirements-gpu.lock

# --- generated files ---------------------------------------------------------------------------
.PHONY: crds
crds: .venv/.stamp ## the CRD, from the pydantic models, for kubectl and for the chart
	@PYTHONPATH=operator $(PY) -m ferryman.api.crd > crds/modeldeployments.yaml
	@mkdir -p charts/ferryman/files/crds && cp crds/modeldeployments.yaml charts/ferryman/files/crds/

# A pool of its own: a user's code in the same process may bring another copy of these messages (KServe's, Triton's).
PROTO := runtime-image/ferryman_server/grpc_api
PROTOC = .venv-server/bin/python -m grpc_tools.protoc -I $(PROTO) --python_out=$(1) $(PROTO)/inference.proto \
	&& sed -i 's/_descriptor_pool.Default()/_descriptor_pool.DescriptorPool()/' $(1)/inference_pb2.py
.PHONY: proto
proto: .venv-server/.stamp ## the messages of the gRPC protocol, from their .proto
	@$(call PROTOC,$(PROTO))

# --- the day of a user -------------------------------------------------------------------------
.PHONY: demo
demo: .venv/.stamp ## the whole day of a user on a real cluster: serve, canary, promote, shadow, roll back
	@PYTHONPATH=demo:local-cluster $(PY) -m ferrydemo

.PHONY: docs
docs: .venv/.stamp ## the generated tables and the diagram of docs/status.md
	@PYTHONPATH=operator $(PY) docs/generate.py

# --- checks ------------------------------------------------------------------------------------
.PHONY: fmt
fmt: .venv/.stamp ## format the code
	@.venv/bin/ruff check --quiet --fix . || true
	@.venv/bin/ruff format --quiet .

.PHONY: verify
verify: venv ## lint, types, import directions, and that generated files are fresh
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --quiet --check . || { echo "not formatted: run make fmt"; exit 1; }
	@.venv/bin/mypy
	@.venv/bin/mypy --config-file runtime-image/mypy.ini --python-executable .venv-server/bin/python
	@PYTHONPATH=operator:runtime-image .venv/bin/lint-imports --no-cache
	@PYTHONPATH=operator $(PY) -m ferryman.api.crd | diff -u crds/modeldeployments.yaml - || { echo "stale: run make crds"; exit 1; }
	@diff -u crds/modeldeployments.yaml charts/ferryman/files/crds/modeldeployments.yaml || { echo "stale: run make crds"; exit 1; }
	@fresh=$$(mktemp -d) && trap "rm -r $$fresh" EXIT && $(call PROTOC,$$fresh) \
	&& diff -u $(PROTO)/inference_pb2.py $$fresh/inference_pb2.py || { echo "stale: run make proto"; exit 1; }
	@PYTHONPATH=operator:docs $(PY) -c 'import generate; print(generate.filled(generate.PAGE.read_text()), end="")' | diff -u docs/status.md - || { echo "stale: run make docs"; exit 1; }

# --- tests -------------------------------------------------------------------------------------
REPORTS := .reports
PYTEST = -m pytest -q $(PYTEST_ARGS) --junit-xml=$(REPORTS)/$(1).xml

.PHONY: test
test: ## everything: verify, the pure and api tiers, a part of the campaign, the cluster tier; leaves the cluster as it found it
	@rm -rf $(REPORTS); $(MAKE) --no-print-directory verify
	@was=$$($(LOCAL_CLUSTER) status >/dev/null 2>&1 && echo up || echo down); \
	leave() { test $$was = up || $(MAKE) --no-print-directory cluster-down; }; trap leave EXIT; \
	$(MAKE) --no-print-directory test-pure test-api campaign-quick test-cluster
	@$(PY) tests/summary.py $(REPORTS)

.PHONY: test-pure
test-pure: venv ## the pure tier: planner, renderers, server; no cluster (five minutes, the server most of it)
	@mkdir -p $(REPORTS)
	@.venv-server/bin/python $(call PYTEST,server) tests/server >$(REPORTS)/server.log 2>&1 & server=$$!; \
	$(PY) $(call PYTEST,pure) tests/pure tests/cluster_io tests/local_cluster tests/contract tests/demo && pure=0 || pure=$$?; \
	wait $$server && server=0 || server=$$?; cat $(REPORTS)/server.log; exit $$((pure | server))

.PHONY: test-frameworks
test-frameworks: .venv-frameworks/.stamp ## PyTorch and TensorFlow models, with the real packages: 3.5 GB to fetch, so no part of `make test`
	@mkdir -p $(REPORTS)
	@.venv-frameworks/bin/python $(call PYTEST,pytorch) tests/frameworks/test_pytorch.py  # one process is too small for both
	@.venv-frameworks/bin/python $(call PYTEST,tensorflow) tests/frameworks/test_tensorflow.py

.PHONY: prove
prove: .venv/.stamp ## every state of a small world and 100000 random days; writes docs/proof.md (about 40 minutes)
	@PYTHONPATH=operator:tests $(PY) -m pure.prove

.PHONY: fuzz-server
fuzz-server: venv ## 100,000 requests to the server that nobody would write (FUZZ_ARGS=--bodies 5000, or --seed 7 --replay pyfunc:1234)
	@PYTHONPATH=runtime-image:tests MLFLOW_DISABLE_TELEMETRY=true .venv-server/bin/python -W ignore -m server.hostile.fuzz $(FUZZ_ARGS)

.PHONY: test-api
test-api: venv ## the api tier: a real etcd, kube-apiserver and kube-controller-manager
	@$(LOCAL_CLUSTER) build
	@$(PY) $(call PYTEST,api) tests/api_tier

CAMPAIGN := PYTHONPATH=operator:tests:local-cluster $(PY) -m campaign

.PHONY: campaign
campaign: .venv/.stamp ## every fault the campaign knows, on a real apiserver; writes docs/reliability.md (an hour or two)
	@$(LOCAL_CLUSTER) build
	@$(CAMPAIGN)

.PHONY: campaign-quick
campaign-quick: .venv/.stamp ## a fixed part of the campaign (a few minutes)
	@$(LOCAL_CLUSTER) build
	@$(CAMPAIGN) --quick

.PHONY: test-cluster
test-cluster: .venv/.stamp ## the cluster tier: a real node, Istio and Envoy, images and chart, 50 requests a second
	@PYTHONPATH=demo:local-cluster $(PY) -m ferrydemo.stage
	@mkdir -p $(REPORTS); rm -f $(REPORTS)/cluster.jsonl; export PYTHONPATH=demo:local-cluster; \
	$(PY) $(call PYTEST,cluster-traffic) --lane=traffic tests/cluster >$(REPORTS)/traffic.log 2>&1 & traffic=$$!; \
	$(PY) $(call PYTEST,cluster) --lane=installation tests/cluster && one=0 || one=$$?; \
	wait $$traffic && other=0 || other=$$?; cat $(REPORTS)/traffic.log; \
	$(PY) $(call PYTEST,cluster-rights) --lane=afterwards tests/cluster && last=0 || last=$$?; exit $$((one | other | last))

.PHONY: measure
measure: .venv/.stamp ## how fast a patch, a promotion and a rollback are in the answers, on the cluster that is up
	@rm -f $(REPORTS)/cluster.jsonl
	@PYTHONPATH=demo:local-cluster $(PY) -m pytest -q -s tests/cluster/test_latency.py tests/cluster/test_rollback.py

.PHONY: figures
figures: .venv/.stamp ## write what the last run of the cluster tier measured into docs/proof.md
	@PYTHONPATH=demo:local-cluster:tests $(PY) -m cluster.figures

.PHONY: bench-server
bench-server: venv ## the model server beside its peers on one core; writes docs/benchmarks.md (about an hour; BENCH_ARGS=--quick: two minutes)
	@$(PY) -m benchmarks.server $(BENCH_ARGS)

.PHONY: soak
soak: venv ## an hour of load at half of the server's capacity, every answer checked; writes docs/soak.md (SOAK_ARGS=--minutes 5)
	@$(PY) -m benchmarks.soak $(SOAK_ARGS)

.PHONY: bench-lock
bench-lock: .venv/.stamp ## renew the locks of the benchmark's peers
	@$(PY) -m benchmarks.server.environments

# --- the local cluster -------------------------------------------------------------------------
.PHONY: cluster
cluster: .venv/.stamp ## a real Kubernetes with Istio on this machine (CLUSTER=kind|source, else by itself)
	@$(LOCAL_CLUSTER) up

.PHONY: cluster-down
cluster-down: .venv/.stamp ## end the local cluster and remove every trace of it but the cache
	@$(LOCAL_CLUSTER) down

.PHONY: cluster-status
cluster-status: .venv/.stamp ## each component of the local cluster, its memory and processor time
	@$(LOCAL_CLUSTER) status

.PHONY: images
images: .venv/.stamp ## build both images and bring them into the local cluster, where they changed
	@$(LOCAL_CLUSTER) images
