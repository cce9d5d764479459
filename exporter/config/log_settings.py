"""Settings of the access logs: where they are, what a line looks like, and who sent it."""

import re
from typing import Annotated

from msgspec import Meta, Struct

from exporter.config.label_selector import parse_selector
from exporter.config.require import require
from exporter.config.scalars import LABEL, Cidr
from exporter.model.clusterset import ServiceName


class FormatSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A log format that is read from an nginx configuration, or a map of JSON keys."""

    nginx_conf: Annotated[
        str | None, Meta(description="Path, such as /etc/nginx/nginx.conf; else a map of keys.")
    ] = None
    name: Annotated[
        str | None, Meta(description="Name of the log_format; null: the only one, else combined.")
    ] = None
    remote: Annotated[
        str | None, Meta(description="Key of the client's address, such as request.remote_ip.")
    ] = None
    status: Annotated[str | None, Meta(description="Key of the status.")] = None
    size: Annotated[str | None, Meta(description="Key of the bytes sent.")] = None
    seconds: Annotated[str | None, Meta(description="Key of the request time in seconds.")] = None
    milliseconds: Annotated[str | None, Meta(description="The same in milliseconds.")] = None
    nanoseconds: Annotated[str | None, Meta(description="The same in nanoseconds.")] = None
    host: Annotated[str | None, Meta(description="Key of the host of the request.")] = None
    path: Annotated[str | None, Meta(description="Key of the path, or of the request line.")] = None
    user_agent: Annotated[str | None, Meta(description="Key of the user agent.")] = None
    forwarded: Annotated[str | None, Meta(description="Key of X-Forwarded-For.")] = None
    time: Annotated[str | None, Meta(description="Key of the time.")] = None
    upstream: Annotated[str | None, Meta(description="Key of the upstream's address.")] = None
    upstream_status: Annotated[str | None, Meta(description="Key of the upstream's status.")] = None
    upstream_name: Annotated[
        str | None, Meta(description="Key of the name that the gateway has for the upstream.")
    ] = None

    def __post_init__(self) -> None:
        """Refuse a map together with a configuration."""
        keys = self.keys
        told = f"nginx_conf and {next(iter(keys), '')} are two formats; keep one"
        require(self.nginx_conf is None or not keys, told)
        told = "write nginx_conf: PATH, or a map such as {remote: KEY, status: KEY}"
        require(self.nginx_conf is not None or keys, told)
        told = "name is that of a log_format; write nginx_conf: PATH, too"
        require(self.nginx_conf is not None or self.name is None, told)
        quoted = next((path for path in keys.values() if '"' in path), None)
        require(quoted is None, f"{quoted!r} is not a key, because a quote stands in it")

    @property
    def keys(self) -> dict[str, str]:
        """Return the JSON keys by what they tell."""
        own = {"nginx_conf", "name"}
        given = ((name, getattr(self, name)) for name in self.__struct_fields__ if name not in own)
        return {name: path for name, path in given if path is not None}

    @property
    def map(self) -> str:
        """Return the map as text, as a format is given elsewhere."""
        return "{" + ", ".join(f'{name}: "{path}"' for name, path in self.keys.items()) + "}"


class ServiceSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the service of a line is found, if it is not the same for all lines."""

    host: Annotated[bool, Meta(description="By the host of each request.")] = False
    pod: Annotated[bool, Meta(description="By the pod in the name of a node's log file.")] = False
    upstream: Annotated[
        bool, Meta(description="By the name that a gateway has for the upstream of each request.")
    ] = False
    route: Annotated[
        bool,
        Meta(
            description="By the HTTPRoutes and Ingresses of the cluster, which lead from the host "
            "of each request to a service."
        ),
    ] = False

    def __post_init__(self) -> None:
        """Require exactly one way."""
        told = (
            "write one of host: true, pod: true, upstream: true and route: true, or namespace/name "
            "instead"
        )
        require(sum((self.host, self.pod, self.upstream, self.route)) == 1, told)


class PodLogSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Logs of the pods behind exported services, or of a gateway, read from the API server."""

    limit: Annotated[
        int, Meta(ge=1, le=900, description="Pods that are followed at the same time.")
    ] = 200
    namespace: Annotated[
        str | None, Meta(description="Namespace of the pods of a gateway; needs selector.")
    ] = None
    selector: Annotated[
        str | None,
        Meta(
            description="Label selector of the pods of a gateway, such as app=traefik; needs "
            "namespace. Null: the pods behind exported services."
        ),
    ] = None

    def __post_init__(self) -> None:
        """Require both or none of namespace and selector, and that they can be read."""
        if self.namespace is None and self.selector is None:
            return
        require(self.namespace is not None, "namespace is missing; selector needs it")
        require(self.selector is not None, "selector is missing; write for example app=traefik")
        told = f"namespace {self.namespace!r} should be the name of one namespace, such as ingress"
        require(re.fullmatch(LABEL, self.namespace or ""), told)
        require(parse_selector(self.selector or ""), "selector is empty; write app=traefik")

    @property
    def by_label(self) -> bool:
        """Return True if labels choose the pods, and not the services that are exported."""
        return self.selector is not None


class LogSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source of access logs."""

    files: Annotated[
        tuple[str, ...], Meta(description="Paths and globs; - is standard input.")
    ] = ()
    syslog: Annotated[
        str | None,
        Meta(description="udp://host:port, tcp://host:port, unix:///path or unix-stream:///path."),
    ] = None
    pods: Annotated[
        PodLogSettings | None,
        Meta(
            description="{}: the pods behind exported services; {namespace: ingress-nginx, "
            "selector: app=nginx}: those of a gateway; needs inventory.kubernetes."
        ),
    ] = None
    format: Annotated[
        str | FormatSettings,
        Meta(
            description="Name of a preset, a format of nginx, Envoy or Apache as it stands there, "
            "{nginx_conf: path}, or a map such as {remote: request.remote_ip, status: status}."
        ),
    ] = "main"
    wrapper: Annotated[str, Meta(description="Wrapper of each line: none, cri or docker.")] = "none"
    service: Annotated[
        str | ServiceSource | None,
        Meta(
            description="namespace/name of the service, {host: true}, {upstream: true} or "
            "{route: true} for a gateway, or {pod: true} for the files of a node; null for pods "
            "behind services, whose service is known, and with services."
        ),
    ] = None
    after_lease: Annotated[
        str | None,
        Meta(
            description="Lease, as namespace/name, of exporters that may read the same lines with "
            "pods: {}. While its holder does, files are not read, and then from where it stopped. "
            "For {pod: true} with wrapper: cri."
        ),
    ] = None
    services: Annotated[
        dict[str, str],
        Meta(
            description="Services of a gateway by the host of a request: "
            "{shop.example.com: namespace/name}; with {upstream: true} by the upstream's name."
        ),
    ] = {}

    def __post_init__(self) -> None:
        """Refuse a source that cannot be read."""
        form = self.format
        from_conf = isinstance(form, FormatSettings) and form.nginx_conf is not None
        given = [
            name
            for name, holds in (
                ("files", self.files),
                ("syslog", self.syslog),
                ("pods", self.pods is not None),
            )
            if holds
        ]
        require(given or from_conf, "files is missing; write files: [/var/log/nginx/access.log]")
        require(len(given) <= 1, f"{' and '.join(given)} are two sources; write two entries")
        if self.told_by_line:
            named = self.service is not None or bool(self.services)
            require(named, "service is missing; write service: namespace/name")
        else:
            require(
                self.service is None, "service: leave it out, because the service of a pod is known"
            )
        told = "wrapper: leave it out, because logs of pods have no wrapper"
        require(self.pods is None or self.wrapper == "none", told)
        wrappers = {"none", "cri", "docker"}
        told = f"wrapper {self.wrapper!r} should be none, cri or docker"
        require(self.wrapper in wrappers, told)
        if self.by_pod:
            require(self.files and "-" not in self.files, "service: {pod: true} is for files")
            require(self.wrapper != "none", "wrapper is missing; write wrapper: cri, or docker")
        lease = self.after_lease
        told = "after_lease needs service: {pod: true} and wrapper: cri"
        require(lease is None or (self.by_pod and self.wrapper == "cri"), told)
        told = f"after_lease {lease!r} should be namespace/name of a Lease"
        require(lease is None or re.fullmatch(rf"{LABEL}/{LABEL}(\.{LABEL})*", lease), told)
        if isinstance(self.service, str):
            named = ServiceName.parse(self.service) is not None
            require(named, f"service {self.service!r} should be namespace/name")
        self._check_services()

    def _check_services(self) -> None:
        """Refuse services by name that contradict `service`, or are none."""
        by_name = not isinstance(self.service, str) and not self.by_pod and self.told_by_line
        told = "services: leave it out, because service or the pods tell the service"
        require(by_name or not self.services, told)
        for host, service in self.services.items():
            named = ServiceName.parse(service) is not None
            require(named, f"services: {host}: {service!r} should be namespace/name")

    @property
    def told_by_line(self) -> bool:
        """Return True if not the pods of exported services tell the service."""
        return self.pods is None or self.pods.by_label

    @property
    def by_pod(self) -> bool:
        """Return True if the names of the files contain the pods that wrote them."""
        return isinstance(self.service, ServiceSource) and self.service.pod

    @property
    def by_upstream(self) -> bool:
        """Return True if the name that a gateway has for the upstream tells the service."""
        return isinstance(self.service, ServiceSource) and self.service.upstream

    @property
    def by_route(self) -> bool:
        """Return True if HTTPRoutes and Ingresses tell the service of a host."""
        return isinstance(self.service, ServiceSource) and self.service.route

    @property
    def names(self) -> tuple[tuple[str, ServiceName], ...]:
        """Return the services by host, or by the name of the upstream."""
        named = ((name, ServiceName.parse(service)) for name, service in self.services.items())
        return tuple((name, service) for name, service in named if service is not None)

    @property
    def service_name(self) -> ServiceName | None:
        """Return the service of all lines; None if each line or file has its own."""
        return ServiceName.parse(self.service) if isinstance(self.service, str) else None


class IgnoreSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Requests that do not count as client traffic."""

    user_agents: Annotated[tuple[str, ...], Meta(description="Prefixes of user agents.")] = (
        "kube-probe/",
    )
    paths: Annotated[tuple[str, ...], Meta(description="Exact paths.")] = ()


class AttributionSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the cluster of a client is found."""

    trusted_proxies: Annotated[
        tuple[Cidr, ...], Meta(description="Networks of proxies whose X-Forwarded-For is trusted.")
    ] = ()
    ignore: IgnoreSettings = IgnoreSettings()
