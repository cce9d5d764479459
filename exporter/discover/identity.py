"""Which cluster this is, and how that is known. Never by the host name."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from exporter.apiserver.json_fields import cluster_id
from exporter.discover.api_types import Gateway, ServiceExport, Submariner
from exporter.discover.findings import Finding, Kind
from exporter.discover.parse_karmada import KARMADA_NAMESPACE, KARMADA_PREFIX, karmada_cluster


class Source(StrEnum):
    """Where a cluster's name came from, the strongest first."""

    SETTING = "setting"
    GATEWAY = "gateway"
    SUBMARINER = "submariner"
    KARMADA = "karmada"


_WHERE = {
    Source.SETTING: "the settings",
    Source.GATEWAY: "the active Gateway",
    Source.SUBMARINER: "the Submariner object",
    Source.KARMADA: f"the annotation {KARMADA_NAMESPACE}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The local cluster's names."""

    cluster: str
    """Its id, as Submariner knows it."""
    source: Source
    karmada_cluster: str = ""
    """Karmada's name of it, which may differ; empty if Karmada sent nothing here."""
    findings: frozenset[Finding] = frozenset()


class IdentityError(Exception):
    """Nothing says which cluster this is, or what says so is no cluster id."""


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
        setting: By command line, environment or configuration; empty if none says.
        gateways: An active one names its cluster in its local endpoint.
        submariners: One names its cluster in its spec.
        exports: Karmada writes its name of the cluster on those that it sends.
        own_annotations: Of a ConfigMap of ours that Karmada may have sent, too.

    Raises:
        IdentityError: With what would tell.
    """
    karmada = _karmada_names(exports, own_annotations or {})
    told = {
        Source.SETTING: [setting] if setting else [],
        Source.GATEWAY: sorted({g.local for g in gateways if g.active and g.local}),
        Source.SUBMARINER: sorted({each.cluster for each in submariners if each.cluster}),
        Source.KARMADA: karmada,
    }
    source = next((source for source in Source if told[source]), None)
    if source is None:
        raise IdentityError(_no_name())
    return Identity(
        cluster=_checked(told[source][0], source),
        source=source,
        karmada_cluster=karmada[0] if karmada else "",
        findings=frozenset(_conflicts(told)),
    )


def _karmada_names(exports: Iterable[ServiceExport], own: Mapping[str, str]) -> list[str]:
    """Return Karmada's names of this cluster: our own object's first, for nobody copied that."""
    ours = karmada_cluster(own)
    others = {each.karmada_cluster for each in exports if each.karmada_cluster}
    return [ours, *sorted(others - {ours})] if ours else sorted(others)


def _conflicts(told: Mapping[Source, list[str]]) -> Iterator[Finding]:
    for source, names in told.items():
        if len(names) > 1:
            text = f"{_WHERE[source]} says {' and '.join(names)}; {names[0]} is taken"
            yield Finding(Kind.IDENTITY_CONFLICT, "cluster", text)
    # Karmada's name is its own affair: it may differ from Submariner's.
    said = [(s, names[0]) for s, names in told.items() if names and s is not Source.KARMADA]
    for source, name in said[1:]:
        first, taken = said[0]
        if name != taken:
            text = f"{_WHERE[first]} says {taken}, {_WHERE[source]} says {name}; {taken} is taken"
            yield Finding(Kind.IDENTITY_CONFLICT, "cluster", text)


def _checked(name: str, source: Source) -> str:
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
