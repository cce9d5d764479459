# Both stages use the Python 3.13 of Debian 13, so the output of the first one runs in the second.
# A tag can move. The release pipeline asks for the digests, checks the signature of the last base, and builds by digest. To do the
# same, or to use a mirror, name other bases of the same Debian: --build-arg BUILD_BASE=... --build-arg BASE=...@sha256:...
ARG BUILD_BASE=docker.io/library/debian:13-slim
ARG BASE=gcr.io/distroless/python3-debian13:nonroot

# This stage runs on the platform of the machine. It fetches wheels of the other platform, and runs nothing of it.
FROM --platform=$BUILDPLATFORM ${BUILD_BASE} AS build
# No default, because it would hide the requested platform.
ARG TARGETARCH
# The version of this package is that of the base, which a release names by digest.
# hadolint ignore=DL3008
RUN python3 -m pip --version 2>/dev/null || { apt-get update && apt-get install --yes --no-install-recommends python3-pip; }
COPY requirements/run.txt /src/requirements.txt
RUN case "${TARGETARCH:-$(uname -m)}" in amd64 | x86_64) machine=x86_64 ;; arm64 | aarch64) machine=aarch64 ;; \
        *) echo "no wheels for $TARGETARCH; build for amd64 or arm64" >&2; exit 1 ;; esac \
    && python3 -m pip install --no-cache-dir --disable-pip-version-check --no-compile --no-deps --require-hashes --only-binary :all: \
        --python-version 3.13 --implementation cp --abi cp313 --abi abi3 --abi none \
        --platform "manylinux_2_28_$machine" --platform "manylinux_2_17_$machine" --platform "manylinux2014_$machine" \
        --target /app --requirement /src/requirements.txt
COPY exporter /app/exporter
COPY LICENSE /app/LICENSE
COPY --chmod=755 deploy/image/clusterset-exporter /app/bin/clusterset-exporter
# Bytecode is checked by hash and not by time, so the same sources give the same bytes. Tests and C sources of dependencies are removed.
RUN find /app \( -name tests -o -name __pycache__ \) -type d -prune -exec rm -rf {} + \
    && find /app \( -name '*.c' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' \) -delete \
    && python3 -m compileall -q --invalidation-mode unchecked-hash -s /app -p /app /app \
    && find /app -exec touch --no-dereference --date=@0 {} +

# Named here, because buildah would keep the platform of the previous stage.
# hadolint ignore=DL3065
FROM --platform=$TARGETPLATFORM ${BASE}
ARG BASE
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="clusterset-exporter" \
      org.opencontainers.image.description="Measures who is served where in a Kubernetes clusterset, and whether that is right." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
COPY --from=build /app /app
ENV PATH=/app/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 9877
ENTRYPOINT ["/app/bin/clusterset-exporter"]
CMD ["--help"]
