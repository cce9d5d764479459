"""What discovery noticed and people should know: values to compare, log once and show."""

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What sort of thing it is: a closed set."""

    BROKEN_OBJECT = "broken_object"
    OVERLAPPING_CIDRS = "overlapping_cidrs"
    NO_ACTIVE_GATEWAY = "no_active_gateway"
    STALE_GATEWAY = "stale_gateway"
    GATEWAY_WITHOUT_TIME = "gateway_without_time"
    IDENTITY_CONFLICT = "identity_conflict"
    UNKNOWN_LOCAL = "unknown_local"


class Finding(NamedTuple):
    """One thing noticed. Equal as long as it is the same thing."""

    kind: Kind
    about: str
    text: str
