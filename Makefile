# make run    open the application on a sample (without a display: the same job in the terminal)
# make test   all tests          ARGS="tests/engine -k compare" narrows them, WORKERS=0 in one process
# make lint   ruff, mypy, import rules
# make bench  measure this machine against the budgets
# make bench-peers  the engine beside llama.cpp's own programs, built and kept in PEERS (20 GB)
# make translations  bring the catalogues in assets/locale up to date with the texts in app/
# make screenshots  take the pictures in assets/screenshots (under Xvfb)
# Each sets up all it needs in VENV, with any PYTHON from 3.10 on.

PYTHON ?= python3
VENV ?= .venv
SAMPLE ?= assets/samples/login.png
ARGS ?=
WORKERS ?= 2
PEERS ?= $(HOME)/.cache/viscodex-bench
BIN := $(VENV)/bin

export VENV

.PHONY: help run test lint format bench bench-peers translations screenshots setup setup-dev clean

help:
	@sed -n 's/^# \(make\)/\1/p' Makefile

setup:
	@$(PYTHON) packaging/setup/prepare.py app

setup-dev:
	@$(PYTHON) packaging/setup/prepare.py dev

run: setup
	@VISCODEX=$(BIN)/viscodex SAMPLE=$(SAMPLE) bash packaging/setup/run.sh

test: setup-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --max-worker-restart 0 $(ARGS)

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-dev
	$(BIN)/python packaging/bench/budgets.py $(ARGS)

bench-peers: setup-dev
	PYTHON=$(BIN)/python bash packaging/bench/llama_tools.sh $(PEERS)
	$(BIN)/python packaging/bench/against_llama.py --tools $(PEERS)/build/bin --big $(PEERS) $(ARGS)

translations: setup-dev
	$(BIN)/python packaging/translations.py

screenshots: setup-dev
	for theme in light dark; do \
	    xvfb-run -a -s "-screen 0 1280x860x24" $(BIN)/python packaging/screenshots.py $$theme || exit 1; \
	done
	xvfb-run -a -s "-screen 0 1280x860x24" \
	    $(BIN)/python packaging/screenshots.py light --language zh_CN

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
