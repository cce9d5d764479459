"""Tells what changed for clients: in the log, and to whoever writes events of services."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import structlog

from exporter.judge import announce
from exporter.judge.explain import why
from exporter.judge.mode import Serving
from exporter.judge.service_track import ServiceTrack
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.model.clusterset import Inventory, ServiceName
from exporter.model.moment import Moment
from exporter.model.probes import Probe
from exporter.model.service_events import EventKey, EventReason, ServiceEvent
from exporter.model.traffic import Client
from exporter.model.verdicts import Failover, Mode

LEAK_ENDS = 300.0
"""Seconds without a leaked request of a cluster after which its leak is over."""
SHOWN = 5
"""Newest probes that the log shows as the reason of a mode."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Leak:
    """Requests of the same clients that leak, or of a gateway."""

    last: float
    """When the newest one was counted, on the monotonic clock."""
    requests: int = 0


class Changes:
    """
    Notices what changed with each verdict, and tells it once.

    Args:
        verdicts: The verdicts on all services.
        moment: Returns the time on both clocks.

    Attributes:
        announce: Takes each event of a service; by default nobody does.
    """

    def __init__(self, verdicts: ServiceVerdicts, moment: Callable[[], Moment]) -> None:
        self._verdicts, self._moment = verdicts, moment
        self.announce: Callable[[ServiceEvent], None] = lambda _: None
        self._modes: dict[ServiceName, Mode] = {}
        self._blackouts: dict[ServiceName, float] = {}
        """Since when nobody serves each of these, on the monotonic clock."""
        self._leaks: dict[tuple[ServiceName, str, str], _Leak] = {}
        """By service, source, and the cluster to which a gateway here sends, as in `Client`."""

    def probed(self, probe: Probe) -> None:
        """Tell the mode of a service, if *probe* changed it."""
        service = probe.question.service
        mode = self._verdicts.mode(service)
        previous = self._modes.get(service, Mode.UNKNOWN)
        if previous is mode:
            return
        self._modes[service] = mode
        say = log.warning if mode is Mode.BLACKOUT else log.info
        say(
            "service mode changed",
            service=str(service),
            mode=mode,
            previous=previous,
            reason=probe.failure,
        )
        inventory, track = self._verdicts.inventory, self._verdicts.track(service)
        if inventory is not None and track is not None and service in inventory.services:
            _log_reasons(inventory, track, probe)
            self._announce_mode(inventory, track, probe)

    def moved(self, failover: Failover) -> None:
        """Tell a failover that is completed."""
        log.info(
            "failover completed",
            service=str(failover.service),
            from_cluster=failover.from_cluster,
            to_cluster=failover.to_cluster,
            reason=failover.reason,
            **{f"{stage}_seconds": round(s, 3) for stage, s in failover.durations.items()},
        )
        inventory = self._verdicts.inventory
        if inventory is not None:
            back = failover.to_cluster == inventory.local
            reason = EventReason.FAILED_BACK if back else EventReason.FAILED_OVER
            text = announce.moved(failover, inventory)
            self._event(failover.service, reason, text, unix=failover.unix)

    def leaked(self, client: Client, requests: int) -> None:
        """Take in *requests* of *client* that leaked to this cluster, or that a gateway sent."""
        inventory, now = self._verdicts.inventory, self._moment()
        key = (client.service, client.source, client.destination)
        if key not in self._leaks and inventory is not None:
            self._leak_began(inventory, client, now.unix)
        leak = self._leaks.setdefault(key, _Leak(now.at))
        leak.last, leak.requests = now.at, leak.requests + requests

    def settle(self) -> None:
        """Tell the end of leaks of which no request came for long, and forget services."""
        inventory, now = self._verdicts.inventory, self._moment()
        if inventory is None:
            return
        for key, leak in list(self._leaks.items()):
            if now.at - leak.last >= LEAK_ENDS:
                del self._leaks[key]
                self._leak_ended(inventory, key, leak.requests, now.unix)

    def keep(self, services: Collection[ServiceName]) -> None:
        """Forget all services but these."""
        for known in (self._modes, self._blackouts):
            for gone in known.keys() - services:
                del known[gone]

    def _leak_began(self, inventory: Inventory, client: Client, unix: float) -> None:
        service, source, destination = client.service, client.source, client.destination
        host_logged = service not in self._verdicts.hostless
        if destination:
            log.warning(
                "gateway requests leaked",
                service=str(service),
                destination_cluster=destination,
                host_logged=host_logged,
            )
            text = announce.gateway_leak_began(inventory, destination, host_logged=host_logged)
            self._event(service, EventReason.GATEWAY_LEAK_BEGAN, text, destination, unix=unix)
        else:
            text = announce.leak_began(inventory, source, host_logged=host_logged)
            self._event(service, EventReason.LEAK_BEGAN, text, source, unix=unix)

    def _leak_ended(
        self, inventory: Inventory, key: tuple[ServiceName, str, str], requests: int, unix: float
    ) -> None:
        service, source, destination = key
        if destination:
            log.info(
                "leak of gateway requests ended",
                service=str(service),
                destination_cluster=destination,
                requests=requests,
            )
            text = announce.gateway_leak_ended(inventory, destination, requests, LEAK_ENDS)
            self._event(service, EventReason.GATEWAY_LEAK_ENDED, text, destination, unix=unix)
        else:
            log.info(
                "leak of client requests ended",
                service=str(service),
                source_cluster=source,
                requests=requests,
            )
            text = announce.leak_ended(inventory, source, requests, LEAK_ENDS)
            self._event(service, EventReason.LEAK_ENDED, text, source, unix=unix)

    def _announce_mode(self, inventory: Inventory, track: ServiceTrack, probe: Probe) -> None:
        service, mode, now = track.name, track.mode.mode, self._moment()
        at = now.at if track.mode.since is None else track.mode.since
        unix = now.unix + at - now.at
        if mode is Mode.BLACKOUT:
            self._blackouts[service] = at
            text = announce.blackout_began(service, inventory, track.right, probe.failure)
            self._event(service, EventReason.BLACKOUT_BEGAN, text, unix=unix)
        elif mode is not Mode.UNKNOWN and service in self._blackouts:
            seconds = at - self._blackouts.pop(service)
            text = announce.blackout_ended(inventory, track.served, seconds)
            self._event(service, EventReason.BLACKOUT_ENDED, text, unix=unix)

    def _event(
        self, service: ServiceName, reason: EventReason, text: str, other: str = "", *, unix: float
    ) -> None:
        key = EventKey(service, reason, other)
        self.announce(ServiceEvent(key=key, text=text, unix=unix))


def _log_reasons(inventory: Inventory, track: ServiceTrack, probe: Probe) -> None:
    """Log why the mode is what it is."""
    log.debug(
        "service mode was decided",
        service=str(track.name),
        mode=track.mode.mode,
        expected=why(inventory, inventory.services[track.name], track.policy),
        newest_probes=" ".join(map(_shown, track.mode.seen[-SHOWN:])),
        asked=probe.answer.resolver,
    )


def _shown(serving: Serving) -> str:
    """Return who served one probe, or who should have."""
    if serving.cluster is not None:
        return serving.cluster
    return "nobody" if serving.answered is None else f"{serving.answered}(failed)"
