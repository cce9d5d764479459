"""Problems that discovery and look-ups find. Each is logged once and shown."""

from enum import StrEnum
from typing import NamedTuple


class FindingKind(StrEnum):
    """The kind of a problem: a closed set."""

    BROKEN_OBJECT = "broken_object"
    OVERLAPPING_CIDRS = "overlapping_cidrs"
    NO_ACTIVE_GATEWAY = "no_active_gateway"
    STALE_GATEWAY = "stale_gateway"
    GATEWAY_WITHOUT_TIME = "gateway_without_time"
    IDENTITY_CONFLICT = "identity_conflict"
    UNKNOWN_LOCAL = "unknown_local"
    STUCK_NAME_SERVER = "stuck_name_server"
    RESOLVERS_DISAGREE = "resolvers_disagree"
    SHARED_HOST = "shared_host"
    ROUTE_WITHOUT_HOST = "route_without_host"


class Finding(NamedTuple):
    """One problem. Two findings are equal as long as it is the same problem."""

    kind: FindingKind
    about: str
    text: str
