"""Explains, by a cluster's own objects, why clusterset names may not work in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from exporter.judge.corefile import Forwarding, forwarding, operator_forwarding
from exporter.judge.report import CheckLine, Level

ApiObject = dict[str, Any]
MCS = "multicluster.x-k8s.io"
MCS_KINDS = ("serviceexports", "serviceimports")
HTTP_ROUTES = "httproutes.gateway.networking.k8s.io"
INGRESSES = "ingresses.networking.k8s.io"
SUBMARINER_KINDS = ("clusters", "endpoints", "gateways", "submariners")
IN_NAMESPACE = " in "
_LIST_PODS = f"list pods{IN_NAMESPACE}"
"""Only the pods of a gateway are listed."""
NOT_LOOKED_AT = "not looked at"
FORBIDDEN = "403"


@dataclass(frozen=True, slots=True)
class ObjectRead:
    """One object that was asked for."""

    found: ApiObject | None = None
    """None if it does not exist."""
    unread: str = ""
    """Why it could not be read; empty if it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dns:
    """Submariner's name server, and the name servers that should forward to it."""

    namespace: str
    pods: ObjectRead
    service: ObjectRead
    coredns: ObjectRead
    """The ConfigMap of the cluster's name server."""
    node_local: ObjectRead
    """The DaemonSet of a cache on each node."""
    node_local_config: ObjectRead
    operator: ObjectRead | None = None
    """`default` of dns.operator.openshift.io; None where the cluster is not OpenShift."""
    operator_config: ObjectRead = ObjectRead()
    """The ConfigMap that OpenShift's DNS operator writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRead:
    """All that was read."""

    served: Mapping[str, tuple[str, ...]]
    """Versions of each resource, named as kubectl does."""
    unread: str
    """Why the versions could not be read; empty if they were read."""
    missing: tuple[str, ...] | None
    """
    Rights that `run` needs and does not have; None if not checked. Each is verb and resource, with
    IN_NAMESPACE before the namespace if it is for one only.
    """
    unsure: tuple[str, ...] = ()
    """Rights that `run` does not have, for resources that may not be installed."""
    rights_unread: str = ""
    """Why the rights were not checked; empty if they were checked."""
    noticed: tuple[tuple[str, str], ...]
    """The findings of discovery: what each is about, and its text."""
    dns: Dns | None
    """None where Submariner is not installed."""
    by_route: bool = False
    """Whether HTTPRoutes and Ingresses tell the service of a host in a log."""


def diagnose(cluster: ClusterRead, domain: str) -> Iterator[CheckLine]:
    """Yield a line for each check; *domain* is the zone of the clusterset names."""
    yield from _kinds(cluster)
    yield from _rights(cluster)
    if not cluster.noticed:
        yield CheckLine(Level.OK, "discovery", "gateways and networks are consistent")
    for about, text in cluster.noticed:
        yield CheckLine(Level.WARN, about, text)
    if cluster.dns is not None:
        yield from map(_with_value, _dns(cluster.dns, domain))


def lacks_mcs_api(cluster: ClusterRead) -> bool:
    """Return whether it is known that no MCS API is installed, neither the usual one nor GKE's."""
    titles = (*(f"{kind}.{MCS}" for kind in MCS_KINDS), "serviceimports.net.gke.io")
    return not cluster.unread and not any(cluster.served.get(title) for title in titles)


def _kinds(cluster: ClusterRead) -> Iterator[CheckLine]:
    if cluster.unread:
        yield _unread("CRDs", cluster.unread)
        return
    gke = cluster.served.get("serviceimports.net.gke.io")
    for kind in MCS_KINDS:
        title = f"{kind}.{MCS}"
        versions = cluster.served.get(title)
        if versions:
            yield CheckLine(Level.OK, title, f"served as {', '.join(versions)}")
        elif not gke:
            yield CheckLine(Level.FAIL, title, "not installed; the MCS API's CRDs are missing")
    titles = [f"{kind}.submariner.io" for kind in SUBMARINER_KINDS]
    absent = [title for title in titles if not cluster.served.get(title)]
    if len(absent) == len(titles):
        yield CheckLine(Level.OK, "submariner.io", "not installed")
    elif absent:
        yield CheckLine(Level.FAIL, "submariner.io", f"not installed: {', '.join(absent)}")
    else:
        yield CheckLine(Level.OK, "submariner.io", "all CRDs are installed")
    if cluster.by_route:
        versions = cluster.served.get(HTTP_ROUTES)
        text = (
            f"served as {', '.join(versions)}"
            if versions
            else "not installed; only Ingresses count"
        )
        yield CheckLine(Level.OK, HTTP_ROUTES, text)


def _rights(cluster: ClusterRead) -> Iterator[CheckLine]:
    if cluster.missing is None:
        yield _unread("rights", cluster.rights_unread)
    elif cluster.missing:
        text = (
            f"may not {', '.join(cluster.missing)}; grant them in {_roles(cluster.missing)}; the "
            f"chart does so with {_values(cluster.missing)}"
        )
        yield CheckLine(Level.FAIL, "rights", text)
    elif cluster.unsure:
        text = (
            f"may not {', '.join(cluster.unsure)}; it is not known whether the cluster has these "
            f"resources: {cluster.unread}"
        )
        yield CheckLine(Level.OK, "rights", text)
    else:
        yield CheckLine(Level.OK, "rights", "all that run needs")


def _roles(missing: tuple[str, ...]) -> str:
    """Return what kind of role grants these rights."""
    named = [IN_NAMESPACE in each for each in missing]
    if all(named):
        return "Roles of these namespaces"
    return "a ClusterRole" + (", or in a Role of the namespace that is named" if any(named) else "")


def _values(missing: tuple[str, ...]) -> str:
    """Return which values of the chart grant these rights."""
    plurals = {each.split()[1].partition("/")[0] for each in missing}
    gateways = [each.partition(IN_NAMESPACE)[2] for each in missing if each.startswith(_LIST_PODS)]
    values = ["rbac.create: true"]
    if "events" in plurals:
        values.append("events: true")
    if any(each.partition(IN_NAMESPACE)[2] not in gateways for each in missing if _of_pods(each)):
        values.append("podLogs.enabled: true")
    if gateways:
        values.append(f"gatewayLogs.namespaces: [{', '.join(gateways)}]")
    if plurals & {HTTP_ROUTES, INGRESSES}:
        values.append("gatewayLogs.routes: true")
    return " and ".join(values)


def _of_pods(right: str) -> bool:
    return right.split()[1].partition("/")[0] == "pods"


def _with_value(line: CheckLine) -> CheckLine:
    """Name the value of the chart that lets `check` look, if it was refused."""
    if line.text.startswith(NOT_LOOKED_AT) and FORBIDDEN in line.text:
        hint = "a pod of the exporter may do so with the chart's check.rights: true"
        return replace(line, text=f"{line.text}; {hint}")
    return line


def _dns(dns: Dns, domain: str) -> Iterator[CheckLine]:
    yield _pods(dns)
    address = _address(dns.service)
    about = f"service {dns.namespace}/submariner-lighthouse-coredns"
    if dns.service.unread:
        yield _unread(about, dns.service.unread)
    elif not address:
        yield CheckLine(
            Level.FAIL, about, "not there: Submariner's service discovery has no address"
        )
    else:
        yield CheckLine(Level.OK, about, address)
    if dns.operator is None:
        yield _coredns("kube-system/coredns", dns.coredns, domain, address)
    else:
        yield _operator(dns.operator, domain, address)
        yield _coredns("openshift-dns/dns-default", dns.operator_config, domain, address)
    yield from _node_local(dns, domain)


def _pods(dns: Dns) -> CheckLine:
    about = f"Lighthouse pods in {dns.namespace}"
    if dns.pods.unread:
        return _unread(about, dns.pods.unread)
    pods = [each for each in _list(dns.pods.found, "items") if isinstance(each, dict)]
    ready = sum(map(_is_ready, pods))
    level = Level.FAIL if not ready else Level.OK if ready == len(pods) else Level.WARN
    return CheckLine(level, about, f"{ready} of {len(pods)} ready")


def _is_ready(pod: ApiObject) -> bool:
    conditions = _list(pod.get("status"), "conditions")
    return any(
        isinstance(each, dict) and each.get("type") == "Ready" and each.get("status") == "True"
        for each in conditions
    )


def _coredns(name: str, config: ObjectRead, domain: str, address: str) -> CheckLine:
    about = f"CoreDNS {name}"
    if config.unread or config.found is None:
        return _unread(about, config.unread or "not there; another name server is in use")
    return _forwards(about, forwarding(_corefile(config), domain), domain, address)


def _operator(dns: ObjectRead, domain: str, address: str) -> CheckLine:
    about = "DNS operator dns.operator.openshift.io/default"
    if dns.unread or dns.found is None:
        return _unread(about, dns.unread or "not there")
    return _forwards(about, operator_forwarding(dns.found, domain), domain, address)


def _forwards(about: str, rule: Forwarding, domain: str, address: str) -> CheckLine:
    if not rule.has_block:
        level = Level.WARN if rule.imports else Level.FAIL
        more = "; what it imports was not looked at" if rule.imports else ""
        return CheckLine(level, about, f"has no server block for {domain}{more}")
    there = ", ".join(rule.addresses) or "nowhere"
    if not address:
        return CheckLine(Level.OK, about, f"forwards {domain} to {there}")
    if address not in rule.addresses:
        text = f"forwards {domain} to {there}, and Lighthouse is at {address}"
        return CheckLine(Level.FAIL, about, text)
    return CheckLine(Level.OK, about, f"forwards {domain} to Lighthouse")


def _node_local(dns: Dns, domain: str) -> Iterator[CheckLine]:
    about = "NodeLocal DNS kube-system/node-local-dns"
    if dns.node_local.unread:
        yield _unread(about, dns.node_local.unread)
    elif dns.node_local.found is None:
        yield CheckLine(Level.OK, about, "not installed")
    elif dns.node_local_config.unread:
        yield _unread(about, dns.node_local_config.unread)
    elif forwarding(_corefile(dns.node_local_config), domain).has_block:
        yield CheckLine(Level.OK, about, f"has a server block for {domain}")
    else:
        text = f"has no server block for {domain}, so pods behind it may not resolve those names"
        yield CheckLine(Level.WARN, about, text)


def _address(service: ObjectRead) -> str:
    spec = (service.found or {}).get("spec")
    address = spec.get("clusterIP") if isinstance(spec, dict) else None
    return address if isinstance(address, str) else ""


def _corefile(config: ObjectRead) -> str:
    data = (config.found or {}).get("data")
    text = data.get("Corefile") if isinstance(data, dict) else None
    return text if isinstance(text, str) else ""


def _list(found: object, key: str) -> list[Any]:
    items = found.get(key) if isinstance(found, dict) else None
    return items if isinstance(items, list) else []


def _unread(about: str, why: str) -> CheckLine:
    return CheckLine(Level.OK, about, f"{NOT_LOOKED_AT}: {why}")
