"""Finds out which cluster this is. The host name is never used."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from exporter.apiserver.json_fields import cluster_id
from exporter.discover.api_types import Gateway, ServiceExport, Submariner
from exporter.discover.findings import Finding, FindingKind
from exporter.discover.parse_karmada import KARMADA_NAMESPACE, KARMADA_PREFIX, karmada_cluster


class IdentitySource(StrEnum):
    """Where the name of the local cluster came from, the strongest source first."""

    SETTING = "setting"
    GATEWAY = "gateway"
    SUBMARINER = "submariner"
    KARMADA = "karmada"


_WHERE = {
    IdentitySource.SETTING: "the settings",
    IdentitySource.GATEWAY: "the active Gateway",
    IdentitySource.SUBMARINER: "the Submariner object",
    IdentitySource.KARMADA: f"the annotation {KARMADA_NAMESPACE}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The local cluster's names."""

    cluster: str
    """Its id, as Submariner knows it."""
    source: IdentitySource
    karmada_cluster: str = ""
    """Karmada's name of it, which may differ; empty if Karmada sent nothing here."""
    findings: frozenset[Finding] = frozenset()


class IdentityError(Exception):
    """No source names the local cluster, or the name is not a possible cluster id."""


class IdentityChangedError(Exception):
    """The cluster is another one than it was taken for: all series would be of the wrong one."""


class BetterNameError(IdentityChangedError):
    """Only Karmada had named the cluster, and now Submariner does, by another name."""


def identify(
    setting: str,
    *,
    gateways: Iterable[Gateway] = (),
    submariners: Iterable[Submariner] = (),
    exports: Iterable[ServiceExport] = (),
    own_annotations: Mapping[str, str] | None = None,
) -> Identity:
    """
    Return which cluster this is.

    Args:
        setting: From the command line, environment or configuration; empty if none sets it.
        gateways: An active gateway names its cluster in its local endpoint.
        submariners: A Submariner object names its cluster in its spec.
        exports: Karmada writes its name of the cluster on each export that it sends.
        own_annotations: Those of the exporter's own ConfigMap, which Karmada may have sent.

    Raises:
        IdentityError: With the sources that could name the cluster.
    """
    karmada = _karmada_names(exports, own_annotations or {})
    told = {
        IdentitySource.SETTING: [setting] if setting else [],
        IdentitySource.GATEWAY: sorted({g.local for g in gateways if g.active and g.local}),
        IdentitySource.SUBMARINER: sorted({each.cluster for each in submariners if each.cluster}),
        IdentitySource.KARMADA: karmada,
    }
    source = next((source for source in IdentitySource if told[source]), None)
    if source is None:
        raise IdentityError(_no_name())
    return Identity(
        cluster=_checked(told[source][0], source),
        source=source,
        karmada_cluster=karmada[0] if karmada else "",
        findings=frozenset(_conflicts(told)),
    )


def _karmada_names(exports: Iterable[ServiceExport], own: Mapping[str, str]) -> list[str]:
    """Return Karmada's names of this cluster. Our own object is first: nobody copies that one."""
    ours = karmada_cluster(own)
    others = {each.karmada_cluster for each in exports if each.karmada_cluster}
    return [ours, *sorted(others - {ours})] if ours else sorted(others)


def _conflicts(told: Mapping[IdentitySource, list[str]]) -> Iterator[Finding]:
    for source, names in told.items():
        if len(names) > 1:
            text = f"{_WHERE[source]} says {' and '.join(names)}; {names[0]} is taken"
            yield Finding(FindingKind.IDENTITY_CONFLICT, "cluster", text)
    # Karmada's name of a cluster may differ from Submariner's, so it is not compared.
    said = [(s, names[0]) for s, names in told.items() if names and s is not IdentitySource.KARMADA]
    for source, name in said[1:]:
        first, taken = said[0]
        if name != taken:
            text = f"{_WHERE[first]} says {taken}, {_WHERE[source]} says {name}; {taken} is taken"
            yield Finding(FindingKind.IDENTITY_CONFLICT, "cluster", text)


def _checked(name: str, source: IdentitySource) -> str:
    try:
        return cluster_id(_WHERE[source], name)
    except ValueError as error:
        raise IdentityError(str(error)) from error


def _no_name() -> str:
    return (
        "nothing says which cluster this is; any of these four would: "
        "--cluster, CLUSTER_NAME or `cluster:` in the configuration; "
        "an active Gateway (submariner.io) with status.localEndpoint.cluster_id; "
        "a Submariner object with spec.clusterID; "
        f"the annotation {KARMADA_NAMESPACE}: {KARMADA_PREFIX}<cluster>, which Karmada writes, "
        "on a ServiceExport or on the exporter's own ConfigMap"
    )
