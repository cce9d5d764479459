# make demo and make test do all their set-up by themselves, each in a virtual environment of its own.
PYTHON ?= python3
DEV := .venv
DEMO := .venv-demo
CLUSTERS ?= 2
DEMO_ARGS ?=
LOCK = $(DEV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links
# Debian packages that the system tests use; installed where that is possible, else those tests are skipped and say so.
TEST_PACKAGES := prometheus chromium logrotate knot
BENCH_PACKAGES := mtail
PROBE_BENCH_PACKAGES := prometheus-blackbox-exporter knot wrk

.PHONY: help demo test check format generate picture bench bench-daemon bench-logs bench-probes bench-scrape lock clean
help:
	@echo 'make demo   a whole clusterset on this machine, a failover and a leak caught on it (CLUSTERS=3, DEMO_ARGS=--keep)'
	@echo 'make test   all checks and tests'
	@echo 'make check  ruff, formatting, mypy, generated files'
	@echo 'make bench  the figures of docs/benchmarks.md, measured beside their peers'

# A venv is as new as the lock file it was made from. The build back end is in the lock file too, so nothing unpinned is fetched.
$(DEV)/.made: requirements/dev.txt
	$(PYTHON) -m venv --clear $(DEV)
	$(DEV)/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --no-binary forbiddenfruit -r requirements/dev.txt
	$(DEV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(DEMO)/.made: requirements/demo.txt
	$(PYTHON) -m venv --clear $(DEMO)
	$(DEMO)/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/demo.txt
	@touch $@

demo: $(DEMO)/.made
	@$(DEMO)/bin/python -m exporter demo --clusters $(CLUSTERS) $(DEMO_ARGS)

test: $(DEV)/.made check test-tools
	$(DEV)/bin/pytest -n auto

check: $(DEV)/.made
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	$(DEV)/bin/python docs/generate.py --check

format: $(DEV)/.made
	$(DEV)/bin/ruff check --fix .
	$(DEV)/bin/ruff format .

generate: $(DEV)/.made
	$(DEV)/bin/python docs/generate.py

# The status page as Chromium shows it during a failover of the demo.
picture: $(DEV)/.made
	PYTHONPATH=. $(DEV)/bin/python docs/picture.py

# Locks what pyproject.toml asks for, with hashes.
lock: $(DEV)/.made
	$(LOCK) pyproject.toml -o requirements/run.txt
	$(LOCK) --extra demo pyproject.toml -o requirements/demo.txt
	$(LOCK) --extra demo --group dev pyproject.toml -o requirements/dev.txt

bench: bench-daemon bench-logs bench-probes bench-scrape

bench-daemon: $(DEV)/.made
	$(DEV)/bin/python bench/daemon.py

bench-logs: $(DEV)/.made bench-tools
	$(DEV)/bin/python bench/logs.py

# Needs root: name servers of /etc/resolv.conf, ports below 1024.
bench-probes: $(DEV)/.made
	@sh tests/install-tools $(PROBE_BENCH_PACKAGES)
	$(DEV)/bin/python bench/probes.py

bench-scrape: $(DEV)/.made
	$(DEV)/bin/python bench/scrape.py

.PHONY: test-tools bench-tools
test-tools:
	@sh tests/install-tools $(TEST_PACKAGES)

bench-tools:
	@sh tests/install-tools $(BENCH_PACKAGES)

clean:
	rm -rf $(DEV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
