# make demo and make test do all their set-up by themselves, each in a virtual environment of its own.
PYTHON ?= python3
RENDER := tests/render/www/page.js
DEV := .venv
DEMO := .venv-demo
SITE := .venv-site
CLUSTERS ?= 2
DEMO_ARGS ?=
DIST ?= dist
FUZZ_SECONDS ?= 60
FUZZ ?=
# Of the extras, what the image installs.
EXTRAS := --extra nginx --extra passwords
LOCK = $(DEV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links
# Debian packages that the system tests use; installed where that is possible, else those tests are skipped and say so.
TEST_PACKAGES := prometheus prometheus-node-exporter prometheus-alertmanager chromium logrotate knot \
	haproxy apache2 caddy \
	systemd-analyze=systemd setpriv=util-linux strace
BENCH_PACKAGES := mtail
PROBE_BENCH_PACKAGES := prometheus-blackbox-exporter knot wrk
E2E_PACKAGES := etcd=etcd-server
IMAGE_PACKAGES := buildah debootstrap
NODE_PACKAGES := containerd runc /usr/lib/cni/bridge=containernetworking-plugins iptables conntrack ipset ip=iproute2 socat \
	ethtool kmod ebtables cc=gcc /usr/include/stdio.h=libc6-dev prometheus
# What make e2e-node measured: a row for each test.
NODE_REPORT ?= build/e2e-node
IMAGE ?= clusterset-exporter
IMAGE_OPTIONS ?=
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' exporter/__init__.py)
REVISION = $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

.PHONY: help demo docs test test-fast test-dashboards test-image e2e e2e-node dashboards dashboard-pictures check deploy format generate picture lock clean
.PHONY: fuzz soak lint-pipelines real-node-page lint-image test-pythons e2e-karmada
.PHONY: image sbom release packages bench bench-daemon bench-cluster bench-dashboards bench-logs bench-probes bench-scrape bench-series bench-web
help:
	@echo 'make demo   a whole clusterset on this machine, a failover and a leak caught on it (CLUSTERS=3, DEMO_ARGS=--keep)'
	@echo 'make test-fast  the tests that take less than a minute together, for every save'
	@echo 'make test   all checks and tests'
	@echo 'make test-dashboards  the boards and alerts on the story of the demo'
	@echo 'make e2e    the tests that need a real kube-apiserver; builds one the first time, which takes minutes and Go'
	@echo 'make e2e-karmada  a whole Karmada control plane with two members; builds it the first time, which takes minutes and Go'
	@echo 'make e2e-node  the image and the chart on a real node, with kubelet and containerd; needs root'
	@echo 'make dashboards       writes dashboards/generated'
	@echo 'make docs   the documentation as a site, in build/site'
	@echo 'make check  ruff, formatting, mypy, generated files'
	@echo 'make lint-pipelines lint-image   actionlint and hadolint; gets them the first time'
	@echo 'make test-pythons  the fast tests on each Python from 3.11 to 3.14 that is here'
	@echo 'make deploy renders plain YAML, overlays and the chart README from the Helm chart'
	@echo 'make image  the image alone, by docker, podman or buildah (IMAGE=registry.example.com/clusterset-exporter, IMAGE_OPTIONS=...)'
	@echo 'make test-image  the container image, built and run; needs root'
	@echo 'make release  wheel, sdist, chart, YAML, SBOM and image'
	@echo 'make fuzz   hostile input for every parser, 60 s each (FUZZ_SECONDS=60, FUZZ="dns-response config")'
	@echo 'make soak   30 minutes of mixed abuse of a running exporter: does anything grow (SOAK_MINUTES=30, SOAK_SEED=1)'
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

$(SITE)/.made: requirements/site.txt
	$(PYTHON) -m venv --clear $(SITE)
	$(SITE)/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/site.txt
	@touch $@

demo: $(DEMO)/.made
	@$(DEMO)/bin/python -m exporter demo --clusters $(CLUSTERS) $(DEMO_ARGS)

test: $(DEV)/.made test-tools
	@$(MAKE) --no-print-directory $(SITE)/.made || [ -z "$$CI" ]
	@sh tests/install-helm >/dev/null || [ -z "$$CI" ]
	@$(MAKE) check
	$(DEV)/bin/pytest -n auto --dist worksteal -m 'not story' --ignore=tests/e2e --ignore=tests/node --ignore=tests/image

# For every save: nothing that starts servers or browsers, no simulations, few examples of Hypothesis.
test-fast: $(DEV)/.made
	$(DEV)/bin/pytest -q -n auto --dist worksteal -m 'not story and not system and not slow' --hypothesis-profile=fast \
		--ignore=tests/e2e --ignore=tests/node --ignore=tests/image --ignore=tests/system

# A real API server: the one of KUBEBUILDER_ASSETS or TEST_ASSET_KUBE_APISERVER, else one built into a cache outside this tree.
e2e: $(DEV)/.made
	@sh tests/install-tools $(E2E_PACKAGES)
	@sh tests/e2e/build-apiserver >/dev/null
	@sh tests/install-helm >/dev/null
	REQUIRE_APISERVER=1 $(DEV)/bin/pytest -n 0 --ignore=tests/e2e/test_karmada_real.py tests/e2e

e2e-node: $(DEV)/.made
	@sh tests/install-tools $(E2E_PACKAGES) $(IMAGE_PACKAGES) $(NODE_PACKAGES)
	@sh tests/install-helm >/dev/null
	@sh tests/e2e/build-apiserver >/dev/null
	@sh tests/node/build-programs >/dev/null
	@rm -rf $(NODE_REPORT) && mkdir -p $(NODE_REPORT)
	NODE_REPORT=$(abspath $(NODE_REPORT)) tests/node/run $(DEV)/bin/pytest -p no:cacheprovider -p no:xdist tests/node
	@PYTHONPATH=. $(DEV)/bin/python docs/real_node.py --print $(NODE_REPORT)

# The table and the picture of docs/real-node.md, from the last run of e2e-node.
real-node-page: $(DEV)/.made
	PYTHONPATH=. $(DEV)/bin/python docs/real_node.py $(NODE_REPORT)

# The pipelines of .github/workflows; builds actionlint the first time.
lint-pipelines:
	@sh tests/lint-pipelines

# The Dockerfile; fetches hadolint the first time.
lint-image:
	@sh tests/lint-image

# The fast tests on each Python from 3.11 to 3.14 that this machine has.
test-pythons: $(DEV)/.made
	@sh tests/pythons

# A whole Karmada control plane with two members, without nodes; builds its programs the first time, which takes minutes and Go.
e2e-karmada: $(DEV)/.made
	@sh tests/install-tools $(E2E_PACKAGES)
	@sh tests/e2e/build-apiserver >/dev/null
	@sh tests/node/build-programs >/dev/null
	@sh tests/install-helm >/dev/null
	@sh tests/e2e/build-karmada >/dev/null
	REQUIRE_KARMADA=1 $(DEV)/bin/pytest -n 0 tests/e2e/test_karmada_real.py

# The boards as they show the demo's story, for docs/dashboards.md.
dashboard-pictures: $(DEV)/.made test-tools $(RENDER)
	PYTHONPATH=. $(DEV)/bin/python docs/dashboard_pictures.py

# The boards and alerts on the demo's story, with a real Prometheus and a real Alertmanager.
test-dashboards: $(DEV)/.made test-tools $(RENDER)
	$(DEV)/bin/pytest -n 0 tests/dashboards

# Grafana's own packages, which draw the boards; without npm the tests that need them are skipped and say so.
$(RENDER): tests/render/package-lock.json tests/render/build.mjs $(wildcard tests/render/src/*)
	@if command -v npm >/dev/null; then cd tests/render && npm ci --silent && node build.mjs; \
	else echo 'npm is not installed: the boards are not drawn' >&2; fi

dashboards: $(DEV)/.made
	$(DEV)/bin/python -m dashboards

# The image is built and run on a Debian of debootstrap, so no registry is needed; the first time takes about two minutes.
test-image: $(DEV)/.made lint-image
	@sh tests/install-tools $(IMAGE_PACKAGES)
	$(DEV)/bin/pytest -n 0 tests/image

# By whichever of docker, podman and buildah works, or by BUILDER; IMAGE=registry.example.com/clusterset-exporter IMAGE_OPTIONS='--build-arg BASE=...'.
image:
	sh deploy/image/build --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) $(IMAGE_OPTIONS) --tag $(IMAGE):$(VERSION) .

# With ROOT=FILE.tar, as deploy/image/export writes it, the packages of the base are listed too.
ROOT ?=
SBOM = $(DIST)/clusterset-exporter-$(VERSION).cdx.json
WRITE_SBOM = PYTHONPATH=. $(DEV)/bin/python deploy/sbom.py
sbom: $(DEV)/.made
	@mkdir -p $(DIST)
	$(WRITE_SBOM) $(ROOT) >$(SBOM)

# All that is published, made here: wheel, sdist, chart, plain YAML, image, bill of materials of the image, checksums. The version is
# that of exporter/__init__.py. Nothing is signed without COSIGN_KEY.
release: packages image
	@root=$$(mktemp) && trap 'rm -f "$$root"' EXIT && sh deploy/image/export $(IMAGE):$(VERSION) "$$root" && \
	$(DEV)/bin/python deploy/image/check.py "$$root" && $(WRITE_SBOM) "$$root" >$(SBOM)
	@case '$(IMAGE_OPTIONS)' in *' BASE='*@sha256:*) ;; *) echo 'the base of the image is named by tag, not by digest' >&2 ;; esac
	@sh deploy/sign $(DIST)
packages: $(DEV)/.made sbom
	@sh tests/install-helm >/dev/null && PYTHONPATH=. $(DEV)/bin/python deploy/render.py --check && \
	$(DEV)/bin/python -m hatchling build -d $(DIST) && sh deploy/package-chart $(DIST) && \
	cat deploy/kustomize/base/namespace.yaml deploy/kustomize/base/clusterset-exporter.yaml >$(DIST)/clusterset-exporter-$(VERSION).yaml

check: $(DEV)/.made
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/mypy
	$(DEV)/bin/python docs/generate.py --check
	$(DEV)/bin/python docs/check_prose.py
	$(DEV)/bin/python -m dashboards --check
	@if sh tests/install-helm --find >/dev/null; then PYTHONPATH=. $(DEV)/bin/python deploy/render.py --check; \
	else echo 'no helm: what is rendered from the chart was not compared; make deploy gets one' >&2; [ -z "$$CI" ]; fi

format: $(DEV)/.made
	$(DEV)/bin/ruff check --fix .
	$(DEV)/bin/ruff format .

# All that is rendered from the chart: plain YAML, overlays, the table of values.
deploy: $(DEV)/.made
	@sh tests/install-helm >/dev/null
	PYTHONPATH=. $(DEV)/bin/python deploy/render.py

# The documentation as a site, in build/site. With PROJECT_URL, links to other files of the repository lead there.
docs: $(SITE)/.made
	NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build --strict --site-dir build/site
	@echo 'build/site/index.html; for the search: $(PYTHON) -m http.server --directory build/site'

generate: $(DEV)/.made
	$(DEV)/bin/python docs/generate.py

# The status page as Chromium shows it during a failover of the demo.
picture: $(DEV)/.made
	PYTHONPATH=. $(DEV)/bin/python docs/picture.py

# Locks what pyproject.toml asks for, with hashes.
lock: $(DEV)/.made
	$(LOCK) $(EXTRAS) pyproject.toml -o requirements/run.txt
	$(LOCK) $(EXTRAS) --extra demo pyproject.toml -o requirements/demo.txt
	$(LOCK) $(EXTRAS) --extra demo --extra zstd --extra report --group dev pyproject.toml -o requirements/dev.txt
	$(LOCK) --group fuzz -o requirements/fuzz.txt
	$(LOCK) --group site -o requirements/site.txt

# Half an hour for all targets. atheris is used where it can be installed, else Hypothesis.
fuzz: $(DEV)/.made
	@$(DEV)/bin/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/fuzz.txt \
		|| echo 'atheris cannot be installed here; Hypothesis is used' >&2
	$(DEV)/bin/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(FUZZ)

soak: $(DEV)/.made
	PYTHONPATH=. $(DEV)/bin/python bench/soak.py

# All of them, also after one that misses a bar; the exit code says if any did.
bench:
	@$(MAKE) --keep-going --no-print-directory bench-daemon bench-logs bench-cluster bench-probes bench-scrape bench-series bench-web

bench-daemon: $(DEV)/.made
	$(DEV)/bin/python bench/daemon.py

bench-cluster: $(DEV)/.made
	PYTHONPATH=. $(DEV)/bin/python bench/cluster.py

# Ten clusters, 200 services, a day: about ten minutes, most of them to make the data.
bench-dashboards: $(DEV)/.made test-tools
	PYTHONPATH=. $(DEV)/bin/python bench/boards.py

bench-logs: $(DEV)/.made bench-tools
	$(DEV)/bin/python bench/logs.py; logs=$$?; $(DEV)/bin/python bench/gateways.py && exit $$logs

# Needs root: name servers of /etc/resolv.conf, ports below 1024.
bench-probes: $(DEV)/.made
	@sh tests/install-tools $(PROBE_BENCH_PACKAGES)
	$(DEV)/bin/python bench/probes.py

bench-scrape: $(DEV)/.made
	$(DEV)/bin/python bench/scrape.py

# The series that services bring, beside those of before decision 15.
bench-series: $(DEV)/.made
	$(DEV)/bin/python bench/series.py

# Thousands of bad neighbours at the HTTP server; SECONDS=60 is how long they stay.
bench-web: $(DEV)/.made
	$(DEV)/bin/python bench/web.py

.PHONY: test-tools bench-tools
test-tools:
	@sh tests/install-tools $(TEST_PACKAGES)

bench-tools:
	@sh tests/install-tools $(BENCH_PACKAGES)

clean:
	rm -rf $(DEV) $(DEMO) $(SITE) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
