# Two commands: `make quickstart` runs the main job, `make test` the tests. Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test lint clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0  # first and pinned: newer ones bring CUDA
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	touch $@

quickstart: .venv/installed
	$(BIN)/sleepwake run quickstart --overwrite

test: .venv/installed
	$(BIN)/pytest -n 2 --dist loadfile

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv build dist
