"""The probes of one exporter: what is probed, how, and when, over all its configurations."""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterator
from dataclasses import replace

from exporter.commands.load import RuntimeConfig
from exporter.model.clusterset import Inventory, ServiceName
from exporter.model.probes import Probe, Skip
from exporter.probe.client import Prober
from exporter.probe.drivers.driver import Driver
from exporter.probe.drivers.runner import Runner, run_alone
from exporter.probe.nameservers import watch
from exporter.probe.probe import Target, probe_once
from exporter.probe.resolve import Server
from exporter.probe.schedule import Pace, Schedule
from exporter.probe.targets import targets

ASKED_EVERY = 0.5
"""Seconds between two probes by hand, in the long run."""
ASKED_BURST = 5
"""How many of them may come at once."""


class BusyError(Exception):
    """A probe was asked for too often."""


class Probing:
    """
    Probes all names of an inventory, for ever.

    A new configuration or inventory moves no probe that stays: each keeps its place in time.

    Args:
        loaded: The configuration.
        driver: Waits for the sockets of probes.
        emit: Called with each probe.
        skipped: Called with the reason when a probe is not made.
        delayed: Called with how much too late each probe started, in seconds.
    """

    def __init__(
        self,
        loaded: RuntimeConfig,
        *,
        driver: Driver,
        emit: Callable[[Probe], None],
        skipped: Callable[[Skip], None],
        delayed: Callable[[float], None],
    ) -> None:
        self._loaded, self._local = loaded, loaded.local
        self._prober = Prober(loaded, self._local)
        self._inventory: Inventory | None = None
        self._free_at = 0.0
        """Until when the probes by hand so far have used up what is allowed."""
        self._driver, self._runner = driver, Runner(driver)
        self._schedule = Schedule(
            self._runner,
            _pace(loaded),
            resolve=self._prober.resolve,
            get=self._prober.get,
            emit=emit,
            skipped=skipped,
            delayed=delayed,
        )
        self.accelerate: Callable[[ServiceName], None] = self._schedule.accelerate

    async def run(self) -> None:
        """Probe until cancelled."""
        with self._runner:
            self._schedule.begin()
            try:
                await self._runner.ended()
            finally:
                self._schedule.end()

    def configure(self, loaded: RuntimeConfig) -> None:
        """Take a configuration into use."""
        self._loaded = loaded
        self._use_prober()
        if self._inventory is not None:
            self.set_inventory(self._inventory)

    def set_inventory(self, inventory: Inventory) -> None:
        """Probe the names of *inventory* from now on."""
        self._inventory = inventory
        if inventory.local != self._local:
            # Which cluster asks may have had to be discovered.
            self._local = inventory.local
            self._use_prober()
        self._schedule.set_targets(targets(inventory, self._loaded))

    def _use_prober(self) -> None:
        prober = self._prober = Prober(self._loaded, self._local)
        self._schedule.configure(_pace(self._loaded), resolve=prober.resolve, get=prober.get)

    async def probe_now(self, service: ServiceName) -> Probe | None:
        """
        Probe the plain name of *service*, beside the schedule.

        Returns:
            The probe; None if the service is unknown or not probed.

        Raises:
            BusyError: If that was asked for too often: each one is traffic that nobody planned.
        """
        target = next(self._targets(service), None)
        if target is None:
            return None
        now = asyncio.get_running_loop().time()
        free_at = max(self._free_at, now - ASKED_BURST * ASKED_EVERY) + ASKED_EVERY
        if free_at > now:
            raise BusyError
        self._free_at = free_at
        probe = probe_once(
            target,
            resolve=self._prober.resolve,
            get=self._prober.get,
            within=self._loaded.settings.probe.timeout,
            clock=self._driver,
        )
        return await run_alone(probe, self._driver)

    def _targets(self, service: ServiceName) -> Iterator[Target]:
        if self._inventory is not None and service in self._inventory.services:
            alone = {service: self._inventory.services[service]}
            yield from targets(replace(self._inventory, services=alone), self._loaded)

    async def follow_name_servers(self, ticks: AsyncIterable[None]) -> None:
        """Ask other name servers when resolv.conf says others, unless the configuration does."""
        await watch(ticks, self._name_servers_changed)

    def _name_servers_changed(self, servers: tuple[Server, ...]) -> None:
        if not self._loaded.settings.probe.resolvers:
            self._prober.servers = servers


def _pace(loaded: RuntimeConfig) -> Pace:
    probe = loaded.settings.probe
    return Pace(
        timeout=probe.timeout,
        fast_interval=probe.fast.interval,
        fast_for=probe.fast.for_,
        jitter=probe.jitter or 0.0,
        in_flight=probe.limits.in_flight,
        per_second=probe.limits.per_second,
    )
