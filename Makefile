PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup test lint bench

setup:
	$(PYTHON) -m venv .venv && $(BIN)/pip install -e '.[dev]'

test:
	$(BIN)/python -m pytest

lint:
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench:
	$(BIN)/python -m benchmarks throughput
