# make demo and make test do all their set-up by themselves, each in a virtual environment of its own.
PYTHON ?= python3
DEV := .venv
DEMO := .venv-demo
CLUSTERS ?= 2
DEMO_ARGS ?=
LOCK = $(DEV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links
# Debian packages that the system tests use; installed where that is possible, else those tests are skipped and say so.
TEST_PACKAGES := prometheus chromium logrotate
BENCH_PACKAGES := mtail
E2E_PACKAGES := etcd=etcd-server
IMAGE_PACKAGES := buildah debootstrap
IMAGE ?= clusterset-exporter
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' exporter/__init__.py)
REVISION = $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

.PHONY: help demo test e2e test-image image sbom release packages check deploy format generate picture bench bench-daemon bench-logs lock clean
help:
	@echo 'make demo   a whole clusterset on this machine, a failover and a leak caught on it (CLUSTERS=3, DEMO_ARGS=--keep)'
	@echo 'make test   all checks and tests'
	@echo 'make e2e    the tests that need a real kube-apiserver; builds one the first time, which takes minutes and Go'
	@echo 'make check  ruff, formatting, mypy, generated files'
	@echo 'make deploy renders plain YAML, overlays and the chart README from the Helm chart'
	@echo 'make test-image  the container image, built and run; needs root'
	@echo 'make release  wheel, sdist, chart, YAML, SBOM and image'
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

test: $(DEV)/.made test-tools
	@sh tests/install-helm >/dev/null || [ -z "$$CI" ]
	@$(MAKE) check
	$(DEV)/bin/pytest -n auto --ignore=tests/e2e --ignore=tests/image

# A real API server: the one of KUBEBUILDER_ASSETS or TEST_ASSET_KUBE_APISERVER, else one built into a cache outside this tree.
e2e: $(DEV)/.made
	@sh tests/install-tools $(E2E_PACKAGES)
	@sh tests/e2e/build-apiserver >/dev/null
	@sh tests/install-helm >/dev/null
	REQUIRE_APISERVER=1 $(DEV)/bin/pytest -n 0 tests/e2e

# The image is built and run on a Debian of debootstrap, so no registry is needed; the first time takes about two minutes.
test-image: $(DEV)/.made
	@sh tests/install-tools $(IMAGE_PACKAGES)
	$(DEV)/bin/pytest -n 0 tests/image

# By whichever of docker, podman and buildah there is; IMAGE=registry.example.com/clusterset-exporter.
image:
	$$(command -v docker || command -v podman || command -v buildah) build --build-arg VERSION=$(VERSION) \
		--build-arg REVISION=$(REVISION) --tag $(IMAGE):$(VERSION) .

sbom: $(DEV)/.made
	@mkdir -p dist
	PYTHONPATH=. $(DEV)/bin/python deploy/sbom.py >dist/clusterset-exporter-$(VERSION).cdx.json

# All that is published, made here: wheel, sdist, chart, plain YAML, bill of materials, image. The version is that of exporter/__init__.py.
release: packages image
packages: $(DEV)/.made sbom
	@helm=$$(sh tests/install-helm) && PYTHONPATH=. $(DEV)/bin/python deploy/render.py --check && \
	$(DEV)/bin/python -m hatchling build -d dist && $$helm package --destination dist deploy/helm/clusterset-exporter && \
	cp deploy/kustomize/base/clusterset-exporter.yaml dist/clusterset-exporter-$(VERSION).yaml

check: $(DEV)/.made
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	$(DEV)/bin/python docs/generate.py --check
	@if sh tests/install-helm --find >/dev/null; then PYTHONPATH=. $(DEV)/bin/python deploy/render.py --check; \
	else echo 'no helm: what is rendered from the chart was not compared; make deploy gets one' >&2; [ -z "$$CI" ]; fi

format: $(DEV)/.made
	$(DEV)/bin/ruff check --fix .
	$(DEV)/bin/ruff format .

# All that is rendered from the chart: plain YAML, overlays, the table of values.
deploy: $(DEV)/.made
	@sh tests/install-helm >/dev/null
	PYTHONPATH=. $(DEV)/bin/python deploy/render.py

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

bench: bench-daemon bench-logs

bench-daemon: $(DEV)/.made
	$(DEV)/bin/python bench/daemon.py

bench-logs: $(DEV)/.made bench-tools
	$(DEV)/bin/python bench/logs.py

.PHONY: test-tools bench-tools
test-tools:
	@sh tests/install-tools $(TEST_PACKAGES)

bench-tools:
	@sh tests/install-tools $(BENCH_PACKAGES)

clean:
	rm -rf $(DEV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
