"""The stages of an exporter, and how a stage is kept at work."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Protocol


class StageName(StrEnum):
    """A kind of stage; of some kinds there are several, such as one for each log."""

    ARRANGEMENT = "arrangement"
    """Starts and stops the other stages."""
    CHECKPOINT = "checkpoint"
    DISCOVERY = "discovery"
    EVENT_LOOP = "event_loop"
    """Measures the lag of the event loop."""
    EVENTS = "events"
    """Writes Kubernetes Events about Services."""
    FAILOVERS = "failovers"
    HANDOVER = "handover"
    INVENTORY = "inventory"
    """Watches the inventory file."""
    LEAKS = "leaks"
    LEASE = "lease"
    LOG = "log"
    NAME_SERVERS = "name_servers"
    PROBES = "probes"
    PROBE_CERTIFICATES = "probe_certificates"
    """Watches the files of the TLS settings of probes."""
    PROBE_KEYS = "probe_keys"
    """Watches the file of the keys that sign probes."""
    RELOAD = "reload"
    WATCH = "watch"
    """Watches one resource of the API server."""
    WEB_CONFIGURATION = "web_configuration"


class Pulse(Protocol):
    """The heartbeat of one running stage."""

    def beat(self) -> None:
        """Say that the stage works. It has to say so again within its limit."""

    def rest(self) -> None:
        """Say that the stage waits for somebody else. It may be silent until its next beat."""


Stage = Callable[[Pulse], Awaitable[None]]
"""Works until it is cancelled, or until nothing is left to do."""


class Keeper(Protocol):
    """What keeps stages at work."""

    async def keep(self, name: StageName, about: str, stage: Stage) -> None:
        """
        Run *stage* until it returns. If it fails, run it again after a while.

        Args:
            name: The kind of stage.
            about: Which one of its kind, for people; empty if there is only one.
            stage: What survives a failure lives outside of it.
        """


class _Unwatched:
    """The pulse of a stage that nobody watches."""

    def beat(self) -> None:
        pass

    def rest(self) -> None:
        pass


class Unkept:
    """Runs stages once, where a failure is to be seen at once: in a command that looks once."""

    async def keep(self, name: StageName, about: str, stage: Stage) -> None:  # noqa: ARG002
        """Run *stage* once."""
        await stage(UNWATCHED)


UNWATCHED: Pulse = _Unwatched()
UNKEPT: Keeper = Unkept()
