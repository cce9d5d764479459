"""Submariner as it is installed in the local cluster, and whose rules its name server follows."""

from collections.abc import Iterator
from dataclasses import dataclass

from exporter.discover.api_types import (
    Gateway,
    ImportedSlice,
    LocalSlice,
    Member,
    ServiceImport,
    Submariner,
)
from exporter.discover.findings import Finding
from exporter.discover.gateways import Remembered, Tunnels, gateway_findings, tunnels
from exporter.discover.parse_submariner import (
    BROKER_NAMESPACE,
    LIGHTHOUSE_DNS,
    LIGHTHOUSE_MANAGER,
    OPERATOR_NAMESPACE,
)
from exporter.discover.resources import Found, Objects
from exporter.judge.versions import looks_for_submariner
from exporter.model.clusterset import Address, Profile, Version

MAX_NAME_SERVERS = 10
"""Replicas of Lighthouse that are asked. Each of them is asked for all names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Submariner in the local cluster at one moment."""

    gateways: list[Gateway]
    submariners: list[Submariner]
    brokers: frozenset[str]
    """Namespaces in which a broker keeps copies of all objects."""
    version: Version | None
    tunnels: Tunnels | None
    """None where nothing shows whether there are tunnels."""
    remembered: Remembered
    profile: Profile
    knows_gateways: bool
    """Lighthouse found Submariner when it started, or another name server does not need to."""

    @property
    def knows_local(self) -> bool:
        """Return whether Lighthouse knows which cluster it runs in."""
        # The operator gives Lighthouse the cluster id of the Submariner object.
        named = any(each.cluster for each in self.submariners)
        return self.remembered.knows_local or named or not self.submariners

    def findings(self, now: float) -> Iterator[Finding]:
        """Yield a finding for each problem of the gateways at *now*, unix seconds."""
        if self.tunnels is not None:
            yield from gateway_findings(self.gateways, now=now)


def installation(found: Found, remembered: Remembered, now: float) -> Installation:
    """
    Return Submariner as the objects in *found* show it.

    Args:
        found: The objects of the local cluster.
        remembered: The tunnels that Lighthouse knew before.
        now: Unix seconds, to tell a silent gateway from one that reports.
    """
    submariners, gateways = found.of(Submariner, "submariners"), found.of(Gateway, "gateways")
    version, profile = _version(gateways, submariners), _profile(found)
    # Lighthouse looks for a Submariner object once, when it starts. Old ones do not look. Where we
    # may not see these objects, a gateway is proof enough.
    unseen = not found.served("submariners") or not looks_for_submariner(version)
    knows = bool(submariners) or (unseen and bool(gateways))
    return Installation(
        gateways=gateways,
        submariners=submariners,
        brokers=frozenset({BROKER_NAMESPACE, *(each.broker_namespace for each in submariners)}),
        version=version,
        tunnels=tunnels(gateways, now=now) if submariners or gateways else None,
        remembered=remembered.after(gateways, version),
        profile=profile,
        knows_gateways=knows or profile is not Profile.SUBMARINER,
    )


def name_servers(objects: Objects, found: Found) -> tuple[tuple[Address, int], ...]:
    """Return the address and port of each replica of Lighthouse in Submariner's own namespace."""
    # A Service of the same name in another namespace belongs to somebody else.
    namespaces = {key.partition("/")[0] for key in objects.get("submariners", ())}
    each = {
        (address, piece.ports[0])
        for piece in found.of(LocalSlice, "local_slices")
        if piece.service.name == LIGHTHOUSE_DNS
        and piece.service.namespace in (namespaces or {OPERATOR_NAMESPACE})
        and piece.ports
        for address in piece.addresses
    }
    return tuple(sorted(each, key=lambda one: (one[0].version, one))[:MAX_NAME_SERVERS])


def _version(gateways: list[Gateway], submariners: list[Submariner]) -> Version | None:
    running = sorted(gateways, key=lambda each: not each.active)
    told = [*(each.version for each in running), *(each.version for each in submariners)]
    return next((version for version in told if version is not None), None)


def _profile(found: Found) -> Profile:
    """Return whose name server answers: Submariner's wherever there is a sign of Submariner."""
    slices = found.of(ImportedSlice, "imported_slices")
    signs = (found.of(Gateway, "gateways"), found.of(Member, "clusters"))
    named = found.of(Submariner, "submariners")
    if any(signs) or named or any(each.manager == LIGHTHOUSE_MANAGER for each in slices):
        return Profile.SUBMARINER
    if found.of(ServiceImport, "gke_serviceimports"):
        return Profile.GKE
    derived = any(each.derived for each in found.of(ServiceImport, "serviceimports"))
    if derived or any(each.manager.endswith(".cilium.io") for each in slices):
        return Profile.CILIUM
    return Profile.SUBMARINER
