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

.PHONY: demo
demo: $(STAMP)  ## the whole main job on the built-in world; ends with a page to open (OUT=folder, default demo-run)
	@$(BIN)/clipstrata demo --out $(OUT)

.PHONY: test
test: $(STAMP)  ## every test
	@$(BIN)/python -m pytest

.PHONY: test-quick
test-quick: $(STAMP)  ## the tests without the slow ones
	@$(BIN)/python -m pytest -m "not slow"

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
bench-rows: $(STAMP)  ## a million rows of metadata, parsed, checked and accounted for
	@$(BIN)/python -m benchmarks.rows

.PHONY: bench-ingest
bench-ingest: bench-media bench-scoring bench-rows  ## all three; benchmarks/peer.py compares with video2dataset

.PHONY: lint
lint: $(STAMP)  ## ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: types
types: $(STAMP)  ## mypy over the public code
	@$(BIN)/mypy

.PHONY: check
check: lint types test  ## lint, types and tests

.PHONY: lock
lock: $(STAMP)  ## resolve requirements/lock.txt again from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements/lock.txt
	@grep -A1000 '^uv==' requirements/lock.txt | sed -n '1p;2,$${/^[a-z]/q;p}' > requirements/bootstrap.txt

.PHONY: clean
clean:  ## remove the environment and the caches; run folders stay
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build *.egg-info
