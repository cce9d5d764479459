"""The probes of one exporter: what is probed, how, and when, over all its configurations."""

from collections.abc import AsyncIterable, Callable

from exporter.loading import Loaded
from exporter.model import Inventory, Probe, ServiceName, Skip
from exporter.probe.lag import LagWatch
from exporter.probe.nameservers import watch
from exporter.probe.resolve import Server
from exporter.probe.schedule import Pace, Schedule
from exporter.prober import Prober
from exporter.targets import targets


class Probing:
    """
    Probes all names of an inventory, for ever.

    A new configuration or inventory moves no probe that stays: each keeps its place in time.

    Args:
        loaded: The configuration.
        emit: Called with each probe.
        skipped: Called with the reason when a probe is not made.
        delayed: Called with how much too late each probe started, in seconds.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        emit: Callable[[Probe], None],
        skipped: Callable[[Skip], None],
        delayed: Callable[[float], None],
    ) -> None:
        self._loaded, self._prober = loaded, Prober(loaded)
        self._inventory: Inventory | None = None
        self._schedule = Schedule(
            _pace(loaded),
            resolve=self._prober.resolve,
            get=self._prober.get,
            emit=emit,
            skipped=skipped,
            delayed=delayed,
            lag=LagWatch(),
        )
        self.run = self._schedule.run
        self.hurry: Callable[[ServiceName], None] = self._schedule.hurry

    def configure(self, loaded: Loaded) -> None:
        """Take a configuration into use."""
        self._loaded, self._prober = loaded, Prober(loaded)
        self._schedule.configure(_pace(loaded), resolve=self._prober.resolve, get=self._prober.get)
        if self._inventory is not None:
            self.set_inventory(self._inventory)

    def set_inventory(self, inventory: Inventory) -> None:
        """Probe the names of *inventory* from now on."""
        self._inventory = inventory
        self._schedule.set_targets(targets(inventory, self._loaded))

    async def follow_name_servers(self, ticks: AsyncIterable[None]) -> None:
        """Ask other name servers when resolv.conf says others, unless the configuration does."""
        await watch(ticks, self._name_servers_changed)

    def _name_servers_changed(self, servers: tuple[Server, ...]) -> None:
        if not self._loaded.settings.probe.resolvers:
            self._prober.servers = servers


def _pace(loaded: Loaded) -> Pace:
    probe = loaded.settings.probe
    return Pace(
        timeout=probe.timeout,
        fast_interval=probe.fast.interval,
        fast_for=probe.fast.for_,
        jitter=probe.jitter or 0.0,
        in_flight=probe.limits.in_flight,
        per_second=probe.limits.per_second,
    )
