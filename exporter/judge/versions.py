"""
What each version of Submariner does differently: the one place for this knowledge.

An unknown version (None) counts as a current one.
"""

import re

from exporter.model.clusterset import Version

_EXACT = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?(?:[-+].*)?")
_WITHIN = re.compile(r"(?<![\w.])v?([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?")


def parse_version(text: str) -> Version | None:
    """Return the version that *text* is, such as v0.19.0-rc3; None if it is not one."""
    return _version(_EXACT.fullmatch(text))


def find_version(text: str) -> Version | None:
    """Return the first version within *text*, or None."""
    return _version(_WITHIN.search(text))


def counts_not_ready_endpoints(version: Version | None) -> bool:
    """
    Return whether Lighthouse treats endpoints that are not ready as ready ones.

    Source: lighthouse issue 1090; mended in 0.13.5, 0.14.3 and 0.15.
    """
    return _is_older(version, (0, 13, 5)) or _is_between(version, (0, 14, 0), (0, 14, 3))


def ignores_unknown_names(version: Version | None) -> bool:
    """
    Return whether Lighthouse does not reply to an unknown name, instead of NXDOMAIN.

    Source: lighthouse issue 859; mended in 0.12.3 and 0.13.2.
    """
    return _is_older(version, (0, 12, 3)) or _is_between(version, (0, 13, 0), (0, 13, 2))


def looks_for_submariner(version: Version | None) -> bool:
    """Return whether Lighthouse looks for a Submariner object when it starts: 0.15 and later."""
    return not _is_older(version, (0, 15, 0))


def reads_endpoint_slices(version: Version | None) -> bool:
    """
    Return whether Lighthouse reads the EndpointSlices of a Service, not its Endpoints: from 0.16.

    Karmada brings slices, but no Endpoints.
    """
    return not _is_older(version, (0, 16, 0))


def answers_clusterset_ips(version: Version | None) -> bool:
    """Return whether Lighthouse answers the clusterset IPs of a service: 0.19 and later."""
    return not _is_older(version, (0, 19, 0))


def knows_ipv6(version: Version | None) -> bool:
    """
    Return whether Lighthouse serves AAAA records: 0.21 and later.

    It then also tells IPv4 from IPv6 tunnels by the address that a connection uses. A cluster
    without IPv6 answers an AAAA question with no data before it looks the name up.
    """
    return not _is_older(version, (0, 21, 0))


def _version(matched: re.Match[str] | None) -> Version | None:
    if matched is None:
        return None
    return (int(matched[1]), int(matched[2]), int(matched[3] or 0))


def _is_older(version: Version | None, than: Version) -> bool:
    return version is not None and version < than


def _is_between(version: Version | None, first: Version, end: Version) -> bool:
    return version is not None and first <= version < end
