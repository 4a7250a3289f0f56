# Every command of the project. Needs Python 3.11 and make; nothing else (browser tests: Debian's chromium, see README).
HOST ?= 127.0.0.1
PORT ?= 8000
PY := .venv/bin/python
export HOST PORT

.PHONY: setup setup-dev run test test-full mutants lint bench lock field-day life

setup: .venv/.runtime
setup-dev: .venv/.dev

.venv/.runtime: requirements.txt
	test -x $(PY) || python3 -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	touch $@

.venv/.dev: requirements-dev.txt .venv/.runtime
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

run: setup  ## set up, migrate, load Zibo, play the field day on first start, serve
	$(PY) -m backend serve --first-start

test: setup-dev  ## all tests that fit into 15 minutes
	$(PY) -m pytest -m "not slow" -n 3 --dist loadfile

test-full: setup-dev tests/interop/node_modules/.package-lock.json  ## the long ones too, and 20,000 histories of the state machines (some four hours on 2 cores)
	HUYUAN_EXAMPLES=$${HUYUAN_EXAMPLES:-20000} $(PY) -m pytest -n 2 --dist loadfile

tests/interop/node_modules/.package-lock.json: tests/interop/package-lock.json  ## the stock tus client and the reference server
	if command -v npm; then npm ci --prefix tests/interop --ignore-scripts --no-audit --no-fund; else echo "no npm: tests/interop is skipped"; fi

mutants: setup-dev  ## known bugs put in one by one, and which test sees each
	$(PY) -m tests.mutants

lint: setup-dev
	$(PY) -m ruff check . && $(PY) -m ruff format --check backend sync_protocol && $(PY) -m mypy

bench: setup-dev
	$(PY) -m tests.benchmarks

field-day: setup
	$(PY) -m backend field-day

life:  ## write docs/problem-life.md from the table of steps
	$(PY) -m backend.problems.life > docs/problem-life.md

lock:  ## compile the pins again, with hashes
	$(PY) -m uv pip compile --generate-hashes --universal --python-version 3.11 --no-header --quiet requirements.in -o requirements.txt
	$(PY) -m uv pip compile --generate-hashes --universal --python-version 3.11 --no-header --quiet requirements-dev.in -o requirements-dev.txt
