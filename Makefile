# clipstrata: everything a newcomer runs. Needs Python 3.11 to 3.13 (with its venv module) and make; nothing else.
# `make help` lists the targets. The environment lives in .venv; `make install` is the only step that uses the network.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(firstword $(shell for p in python3.11 python3.12 python3.13 python3; do "$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p; done))
OUT ?= demo-run
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: install
install: $(STAMP)  ## make .venv from the lock (about a minute, 6.6 GB)

$(STAMP): requirements/lock.txt requirements/bootstrap.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "clipstrata needs Python 3.11, 3.12 or 3.13 on the PATH; none was found. Install one, or say: make install PYTHON=/path/to/python3.11"; exit 2; }
	@echo "[1/3] environment in $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV) || { echo "$(PYTHON) has no working venv module; on Debian: apt-get install python3-venv"; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@echo "[2/3] packages from requirements/lock.txt (versions and hashes)"
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements/lock.txt
	@echo "[3/3] clipstrata itself"
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python --editable .
	@touch $(STAMP)

VERSITYGW_VERSION := v1.8.0

.PHONY: versitygw
versitygw: $(VENV)/.versitygw-$(VERSITYGW_VERSION)  ## the S3 server of the tests, built from its Go module (2 minutes)

$(VENV)/.versitygw-$(VERSITYGW_VERSION): | $(STAMP)
	@command -v go >/dev/null || { echo "versitygw is built with Go, and none is on the PATH; install one, or leave its tests out: they are skipped"; exit 2; }
	@GOBIN=$(abspath $(BIN)) go install -trimpath github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW_VERSION)
	@touch $@

BEAM_VERSION := 2.77.0
FLINK_VERSION := 1.19.3
ENGINES := $(VENV)/engines

.PHONY: prism
prism: $(VENV)/.prism-v$(BEAM_VERSION)  ## Beam's Prism runner, built from its Go module (2 minutes)

$(VENV)/.prism-v$(BEAM_VERSION): $(STAMP)
	@command -v go >/dev/null || { echo "Prism is built with Go, and none is on the PATH; install one"; exit 2; }
	@deploy/prism/build.sh v$(BEAM_VERSION) $(abspath $(ENGINES))
	@touch $@

.PHONY: flink
flink: $(VENV)/.flink-$(FLINK_VERSION) $(VENV)/.worker-boot-v$(BEAM_VERSION) $(ENGINES)/job-server.jar  ## what `make flink-up` runs: Flink, a job server, Beam's worker boot (3 minutes)

$(VENV)/.flink-$(FLINK_VERSION): requirements/flink.txt $(STAMP)
	@rm -rf $(ENGINES)/flink
	@$(BIN)/uv pip install --quiet --no-deps --require-hashes --no-build-isolation --python $(BIN)/python --target $(ENGINES)/flink -r requirements/flink.txt
	@touch $@

$(VENV)/.worker-boot-v$(BEAM_VERSION): $(STAMP)
	@command -v go >/dev/null || { echo "Beam's worker boot is built with Go, and none is on the PATH; install one"; exit 2; }
	@GOBIN=$(abspath $(ENGINES)) go install -trimpath github.com/apache/beam/sdks/v2/python/container@v$(BEAM_VERSION)
	@mv $(ENGINES)/container $(ENGINES)/worker-boot
	@touch $@

$(ENGINES)/job-server.jar: $(shell find deploy/flink/job_server -type f) $(STAMP)
	@command -v mvn >/dev/null || { echo "the job server is built with Maven and Java 11 or later, and no mvn is on the PATH; install both"; exit 2; }
	@mvn --batch-mode -Dstyle.color=never --quiet --file deploy/flink/job_server/pom.xml package
	@mkdir -p $(ENGINES)
	@mv build/job_server/job-server.jar $@

.PHONY: flink-up
flink-up: flink  ## a Flink cluster on this machine, reachable from this machine only; its state lies in .flink
	@$(BIN)/python -m deploy.flink.cluster up

.PHONY: flink-down
flink-down: $(STAMP)  ## stop it; no process stays
	@$(BIN)/python -m deploy.flink.cluster down

.PHONY: engines
engines: prism flink  ## the same bytes on every engine, and what happens when their processes die (an hour)
	@CLIPSTRATA_ENGINES=1 $(BIN)/python -m pytest -m engines

.PHONY: engines-world
engines-world: prism flink  ## of it, the built-in world on every engine (ten minutes)
	@CLIPSTRATA_ENGINES=1 $(BIN)/python -m pytest -m engines tests/engines/test_matrix.py -k "world or videos or heard"

.PHONY: bench-engines
bench-engines: prism flink  ## wall time per engine for the same work, and Beam against a plain loop (ten minutes; MINUTES=10: a long corpus)
	@$(BIN)/python -m benchmarks.engines $(if $(MINUTES),--minutes $(MINUTES))

.PHONY: demo
demo: $(STAMP)  ## the whole main job on the built-in world; ends with a page to open (OUT=folder, default demo-run)
	@$(BIN)/clipstrata demo --out $(OUT)

.PHONY: test
test: $(STAMP)  ## every test
	@$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

.PHONY: test-quick
test-quick: $(STAMP)  ## the tests without the slow ones
	@$(BIN)/python -m pytest -m "not slow and not engines"

.PHONY: bench-demo
bench-demo: $(STAMP)  ## the demo's figures for docs/performance.md
	@$(BIN)/python -m benchmarks.demo

.PHONY: bench-encoder
bench-encoder: $(STAMP)  ## both stages and their evaluation over three seeds, on the shards of OUT (15 to 25 minutes)
	@$(BIN)/python -m benchmarks.encoder $(OUT) --work $(OUT)-seeds

.PHONY: bench-media
bench-media: $(STAMP)  ## the media path against one bare ffmpeg per video (a few minutes)
	@$(BIN)/python -m benchmarks.media --work $(OUT)-media

.PHONY: bench-scoring
bench-scoring: $(STAMP)  ## scoring against a bare open_clip loop
	@$(BIN)/python -m benchmarks.scoring

.PHONY: bench-rows
bench-rows: $(STAMP)  ## a million rows of metadata: read alone; and read, grouped and planned as the ingest does (half an hour)
	@$(BIN)/python -m benchmarks.rows

.PHONY: bench-judge
bench-judge: $(STAMP)  ## judging ten million pairs against one DuckDB script, and the page, and what tiers and cuts are worth on the demo in OUT (15 minutes)
	@$(BIN)/python -m benchmarks.judge --work $(OUT)-judge
	@$(BIN)/python -m benchmarks.page --run $(OUT)
	@$(BIN)/python -m benchmarks.tiers $(OUT)

.PHONY: bench-duplicates
bench-duplicates: $(STAMP)  ## planted copies and hard negatives, found by clipstrata and by other ways; each to its end (half an hour)
	@failed=; run() { $(BIN)/python -m "$$@" || failed="$$failed $$1"; }; \
	run benchmarks.copies.measure --work $(OUT)-copies --size full $(if $(OTHER_VIDEOS),--other-videos $(OTHER_VIDEOS)); \
	run benchmarks.copies.measure --work $(OUT)-copies-again --size real --spans-seed 1 --table tune; \
	run benchmarks.survivors --runs 1; \
	run benchmarks.perceptual; \
	run benchmarks.semantic; \
	run benchmarks.semantic_base; \
	run benchmarks.base_columns; \
	test -z "$$failed" || { echo "over a target:$$failed"; exit 1; }

.PHONY: bench-costs
bench-costs: $(STAMP)  ## the rates of `clipstrata plan`, fitted to eight builds and asked of three others (a quarter of an hour)
	@$(BIN)/python -m benchmarks.costs --work $(OUT)-costs

.PHONY: bench-hot-keys
bench-hot-keys: $(STAMP)  ## one source with 99 % of the clips against an even spread (a few minutes)
	@$(BIN)/python -m benchmarks.hot_keys --work $(OUT)-hot-keys

.PHONY: bench-stragglers
bench-stragglers: $(STAMP)  ## a video of three hours among short ones, in one go and in pieces (half an hour)
	@$(BIN)/python -m benchmarks.stragglers --work $(OUT)-stragglers

.PHONY: bench-shards
bench-shards: $(STAMP)  ## writing shards against tar, reading them against webdataset, time to the first sample (a few minutes)
	@$(BIN)/python -m benchmarks.shards --work $(OUT)-shards

.PHONY: bench-takedown
bench-takedown: $(STAMP)  ## ten clips taken out of a thousand shards, on a copy of the demo in OUT (a few minutes)
	@$(BIN)/python -m benchmarks.takedown $(OUT) --work $(OUT)-takedown

.PHONY: bench-peer
bench-peer: $(STAMP)  ## the whole ingest against video2dataset 1.3.0, which gets an environment of its own (half an hour)
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(OUT)-peer-env
	@$(BIN)/uv pip install --quiet --python $(OUT)-peer-env/bin/python video2dataset==1.3.0 "pyarrow<20"
	@$(BIN)/python -m benchmarks.peer --peer-python $(abspath $(OUT)-peer-env)/bin/python --work $(OUT)-peer

.PHONY: bench-ingest
bench-ingest: $(STAMP)  ## media path, scoring, rows and the peer, each to its end; fails where a target is missed (an hour)
	@failed=; for each in bench-media bench-scoring bench-rows bench-peer; do $(MAKE) --no-print-directory $$each || failed="$$failed $$each"; done; \
	test -z "$$failed" || { echo "over a target:$$failed"; exit 1; }

.PHONY: lint
lint: $(STAMP)  ## ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: types
types: $(STAMP)  ## mypy over the public code
	@$(BIN)/mypy

.PHONY: check
check: lint types test  ## lint, types and tests

COMPILE = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet
# What workers need: everything that runs, and nothing that tests.
WORKER = --extra dataflow --extra ocr --extra transnet --constraint requirements/lock.txt
# PyTorch's build without CUDA comes from its own index, which `make lock` does not ask.
CUDA = $$(grep -oE '^(torch|torchvision|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==' requirements/lock.txt | sed 's/==//; s/^/--no-emit-package /')

.PHONY: lock
lock: $(STAMP)  ## resolve requirements/*.txt again from pyproject.toml
	@$(COMPILE) --extra dev --output-file requirements/lock.txt
	@grep -A1000 '^uv==' requirements/lock.txt | sed -n '1p;2,$${/^[a-z]/q;p}' > requirements/bootstrap.txt
	@$(COMPILE) $(WORKER) --output-file requirements/worker.txt
	@$(COMPILE) $(WORKER) $(CUDA) --output-file requirements/worker-cpu.txt

.PHONY: clean
clean:  ## remove the environment and the caches; run folders stay
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build *.egg-info
