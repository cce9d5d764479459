"""Makes the services of the clusterset, each from its own API objects."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from exporter.discover.api_types import (
    ImportedSlice,
    LocalService,
    LocalSlice,
    ServiceExport,
    ServiceImport,
)
from exporter.judge.versions import counts_not_ready_endpoints
from exporter.model.clusterset import (
    Address,
    Endpoints,
    Export,
    Port,
    Profile,
    Service,
    ServiceName,
    Version,
    Workload,
    is_invalid,
)


@dataclass(slots=True)
class ServiceParts:
    """The objects about one service."""

    name: ServiceName
    export: ServiceExport | None = None
    whole: ServiceImport | None = None
    """The import for all clusters."""
    shares: dict[str, ServiceImport] = field(default_factory=dict)
    """Imports for one cluster each: Submariner up to 0.14."""
    slices: dict[str, list[ImportedSlice]] = field(default_factory=lambda: defaultdict(list))
    local: LocalService | None = None
    local_slices: list[LocalSlice] = field(default_factory=list)

    def add(self, each: ServiceImport) -> None:
        """Add an import of the service or of one cluster's share of it."""
        if each.cluster is None:
            self.whole = each
        else:
            self.shares[each.cluster] = each

    def slices_of(self, cluster: str) -> list[ImportedSlice]:
        """Return the slices of *cluster* that count. Old ones may remain after an upgrade."""
        slices = self.slices.get(cluster, [])
        return [each for each in slices if not each.old] or slices

    @property
    def labels(self) -> Iterator[tuple[str, str]]:
        """Yield the labels of all objects. Those of the Service come last, so they win."""
        imports = [*self.shares.values(), *([self.whole] if self.whole else [])]
        for each in (*chain(*self.slices.values()), *imports, self.export, self.local):
            yield from () if each is None else each.labels

    @property
    def probed(self) -> bool:
        """Return whether no object excludes the service from probing."""
        said = (self.export, self.whole, self.local, *self.shares.values())
        return all(each is None or each.probed for each in said)

    @property
    def headless(self) -> bool:
        """Return whether the service is headless, by the most reliable object."""
        for known in (self.whole, *self.shares.values()):
            if known is not None:
                return known.headless
        marked = [each.headless for each in chain(*self.slices.values())]
        return any(marked) or (not marked and self.local is not None and self.local.headless)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The name server and the version whose rules apply."""

    local: str
    profile: Profile
    version: Version | None


def gather(
    exports: Iterable[ServiceExport],
    imports: Iterable[ServiceImport],
    slices: Iterable[ImportedSlice],
    services: Iterable[LocalService],
    local_slices: Iterable[LocalSlice],
) -> dict[ServiceName, ServiceParts]:
    """Return the objects of each service that the local cluster exports or imports."""
    found = _Gathered()
    for export in exports:
        found[export.service].export = export
    for each in imports:
        found[each.service].add(each)
    for piece in slices:
        found[piece.service].slices[piece.cluster].append(piece)
    for service in services:
        if service.service in found:
            found[service.service].local = service
    for local in local_slices:
        if local.service in found:
            found[local.service].local_slices.append(local)
    return found


class _Gathered(dict[ServiceName, ServiceParts]):
    """ServiceParts by name, made at the first access."""

    def __missing__(self, name: ServiceName) -> ServiceParts:
        return self.setdefault(name, ServiceParts(name))


def build(parts: ServiceParts, rules: Rules) -> Service:
    """Return the service that is made of *parts*."""
    headless = parts.headless
    portable = rules.profile is not Profile.SUBMARINER
    share = _portable_export if portable else _headless_export if headless else _export
    clusters = _exporters(parts, portable=portable)
    made = (share(parts, cluster, rules) for cluster in clusters)
    exports = {each.cluster: each for each in made if each is not None}
    if rules.local not in exports and _is_left(parts, portable=portable):
        exports[rules.local] = Export(
            cluster=rules.local, addresses=(), ready=False, backed=False, named=False
        )
    return Service(
        name=parts.name,
        ports=_ports(parts, rules.local, headless=headless),
        exports=tuple(exports[cluster] for cluster in sorted(exports)),
        headless=headless,
        clusterset_ips=() if headless or parts.whole is None else parts.whole.ips,
        karmada_endpoints=_karmada_endpoints(parts),
        probed=parts.probed,
        named=bool(parts.whole or parts.shares or parts.slices),
        endpoints=None if parts.export is None else _endpoints(parts),
        conditions=() if parts.export is None else parts.export.conditions,
        log_format="" if parts.local is None else parts.local.log_format,
    )


def workload(parts: ServiceParts) -> Workload:
    """Return the pods behind a service that the local cluster exports."""
    own = _own(parts)
    local = parts.local
    return Workload(
        service=parts.name,
        pods=tuple(sorted({pod for each in own for pod in each.pods.split()})),
        ports=tuple(sorted({port for each in own for port in each.ports})),
        log_container="" if local is None else local.log_container,
        log_format="" if local is None else local.log_format,
    )


def _exporters(parts: ServiceParts, *, portable: bool) -> set[str]:
    # Lighthouse reads endpoint slices, not the status of the import.
    listed = parts.whole.clusters if portable and parts.whole is not None else ()
    return {*parts.slices, *parts.shares, *listed}


def _is_left(parts: ServiceParts, *, portable: bool) -> bool:
    """Return whether there is a ServiceExport, of which the name server knows nothing."""
    if parts.export is None:
        return False
    # Lighthouse makes slices of each valid export. Other controllers may call the cluster by
    # another name than we do, so nothing follows from what they do not list.
    return not portable or is_invalid(parts.export.conditions)


def _export(parts: ServiceParts, cluster: str, rules: Rules) -> Export | None:
    slices, share = parts.slices_of(cluster), parts.shares.get(cluster)
    marked = [each for each in slices if each.headless is not None]
    if marked:
        # One endpoint: the service's address, and whether anything ready is behind it.
        addresses = tuple(chain(*((*each.ready, *each.not_ready) for each in marked)))
        return Export(
            cluster=cluster, addresses=addresses, ready=any(each.ready for each in marked)
        )
    if share is None:
        return None
    return Export(
        cluster=cluster,
        addresses=_share_address(parts, share, rules),
        ready=any(each.ready for each in slices),
        backed=any(each.ready or each.not_ready for each in slices),
    )


def _share_address(parts: ServiceParts, share: ServiceImport, rules: Rules) -> tuple[Address, ...]:
    # For its own cluster an old Lighthouse answers the address of the Service, even with Globalnet.
    if share.cluster == rules.local and parts.local is not None and parts.local.ips:
        return parts.local.ips[:1]
    return share.ips[:1]


def _headless_export(parts: ServiceParts, cluster: str, rules: Rules) -> Export:
    slices = parts.slices_of(cluster)
    answered = [each.ready for each in slices]
    counts_not_ready = counts_not_ready_endpoints(rules.version)
    answered += [each.not_ready for each in slices if each.publish or counts_not_ready]
    own = _own_addresses(parts, slices) if cluster == rules.local else ()
    return Export(
        cluster=cluster,
        addresses=own or tuple(chain(*answered)),
        ready=any(each.ready for each in slices),
        backed=any(each.ready or each.not_ready for each in slices),
    )


def _own_addresses(parts: ServiceParts, slices: list[ImportedSlice]) -> tuple[Address, ...]:
    # Global addresses of pods do not work in their own cluster, so Lighthouse answers the
    # own addresses of pods there. Source: Lighthouse 0.15, "shouldRetrieveLocalEndpointSlicesFor".
    if not slices or not all(each.globalnet and each.headless for each in slices):
        return ()
    return tuple(chain(*(each.addresses for each in _own(parts))))


def _portable_export(parts: ServiceParts, cluster: str, rules: Rules) -> Export:
    slices = parts.slices_of(cluster)
    own = _own(parts) if cluster == rules.local else []
    addresses = chain(*(each.ready for each in slices), *(each.addresses for each in own))
    if slices or own:
        ready = any(each.ready for each in slices) or any(each.ready for each in own)
    else:
        # The list of exporting clusters is all that is known here.
        ready = True
    # A service that is not headless is answered with one address for all clusters.
    told = tuple(dict.fromkeys(addresses)) if parts.headless else ()
    return Export(cluster=cluster, addresses=told, ready=ready)


def _ports(parts: ServiceParts, local: str, *, headless: bool) -> tuple[Port, ...]:
    """Return the ports to probe: those of the pods if headless, else those of the service."""
    shares = sorted(parts.shares.values(), key=lambda each: (each.cluster != local, each.cluster))
    imports = [each.ports for each in (parts.whole, *shares) if each is not None]
    slices = [each.ports for each in chain(*parts.slices.values())]
    service = [] if parts.local is None else [parts.local.ports]
    candidates = [*slices, *imports, *service] if headless else [*imports, *service, *slices]
    return next((ports for ports in candidates if ports), ())


def _karmada_endpoints(parts: ServiceParts) -> tuple[str, ...]:
    # Lighthouse counts endpoints that are ready. Others do not make the service look ready.
    foreign = {each.karmada_cluster for each in parts.local_slices if each.ready}
    return tuple(sorted(foreign - {""}))


def _own(parts: ServiceParts) -> list[LocalSlice]:
    return [each for each in parts.local_slices if not each.karmada_cluster]


def _endpoints(parts: ServiceParts) -> Endpoints:
    # A pod with two address families is in a slice of each.
    by_family: dict[str, list[int]] = {}
    for each in _own(parts):
        sums = by_family.setdefault(each.family, [0, 0])
        sums[0] += each.ready
        sums[1] += each.not_ready
    return max((Endpoints(*sums) for sums in by_family.values()), default=Endpoints(0, 0))
