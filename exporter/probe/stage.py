"""The stage of probes: it keeps the schedule in line with the newest plan and inventory."""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterator
from dataclasses import replace

from exporter.model.clusterset import Inventory, ServiceName
from exporter.model.probes import Probe, Skip
from exporter.model.stages import UNWATCHED, Pulse
from exporter.probe.client import OwnerOf, ProbeClient
from exporter.probe.drivers.driver import Driver
from exporter.probe.drivers.runner import Runner, run_alone
from exporter.probe.nameservers import watch
from exporter.probe.plan import ProbePlan
from exporter.probe.probe import Target, probe_once
from exporter.probe.resolve import Server
from exporter.probe.schedule import Schedule
from exporter.probe.targets import targets

BEAT_EVERY = 1.0
"""Seconds between two looks at whether probes start when they are due."""
MAX_OVERDUE = 5.0
"""Seconds by which a start may be late; more is no beat."""
MANUAL_INTERVAL = 0.5
"""Average seconds between two probes that somebody asks for by hand."""
MANUAL_BURST = 5
"""The number of such probes that may start at once."""


class BusyError(Exception):
    """Probes were asked for too often."""


class ProbeStage:
    """
    Probes all names of an inventory until it is cancelled.

    A new plan or inventory keeps the time grid of each name that is still probed.

    Args:
        plan: What is asked, and how.
        local: The cluster that this exporter runs in; empty until it is discovered.
        driver: Waits for the sockets of probes.
        owner_of: Says which cluster an address leads to.
        emit: Called with each probe.
        skipped: Called with the reason when a probe is skipped.
        delayed: Called with the delay of each start, in seconds.
    """

    def __init__(
        self,
        plan: ProbePlan,
        local: str,
        *,
        driver: Driver,
        owner_of: OwnerOf,
        emit: Callable[[Probe], None],
        skipped: Callable[[Skip], None],
        delayed: Callable[[float], None],
    ) -> None:
        self._plan, self._local, self._owner_of = plan, local, owner_of
        self._client = ProbeClient(plan, local, owner_of)
        self._inventory: Inventory | None = None
        self._manual_from = 0.0
        """When the manual probes so far would have ended at their average rate, loop time."""
        self._driver, self._runner = driver, Runner(driver)
        self._schedule = Schedule(
            self._runner,
            plan.pace,
            resolve=self._client.resolve,
            get=self._client.get,
            emit=emit,
            skipped=skipped,
            delayed=delayed,
        )
        self.accelerate: Callable[[ServiceName], None] = self._schedule.accelerate

    async def run(self, pulse: Pulse = UNWATCHED) -> None:
        """Probe until cancelled. After a failure this can be called again."""
        with self._runner:
            try:
                self._schedule.begin()
                while not await self._runner.ended(BEAT_EVERY):
                    if self._schedule.overdue() < MAX_OVERDUE:
                        pulse.beat()
            finally:
                self._schedule.end()

    def configure(self, plan: ProbePlan) -> None:
        """Use *plan* from now on."""
        self._plan = plan
        self._renew_client()
        if self._inventory is not None:
            self.set_inventory(self._inventory)

    def use_keys(self, keys: tuple[bytes, ...]) -> None:
        """Sign with the first one of *keys* from now on."""
        self._plan = replace(self._plan, keys=keys)
        self._renew_client()

    def set_inventory(self, inventory: Inventory) -> None:
        """Probe the names of *inventory* from now on."""
        self._inventory = inventory
        if inventory.local != self._local:
            # Discovery may find the local cluster only after the start.
            self._local = inventory.local
            self._renew_client()
        self._schedule.set_targets(targets(inventory, self._plan))

    def _renew_client(self) -> None:
        client = self._client = ProbeClient(self._plan, self._local, self._owner_of)
        self._schedule.configure(self._plan.pace, resolve=client.resolve, get=client.get)

    async def probe_now(self, service: ServiceName) -> Probe | None:
        """
        Probe the plain name of *service* at once, besides the schedule.

        Returns:
            The probe; None if the service is unknown or not probed.

        Raises:
            BusyError: If this is called too often, because each probe is extra traffic.
        """
        target = next(self._targets(service), None)
        if target is None:
            return None
        now = asyncio.get_running_loop().time()
        manual_from = max(self._manual_from, now - MANUAL_BURST * MANUAL_INTERVAL)
        if manual_from + MANUAL_INTERVAL > now:
            raise BusyError
        self._manual_from = manual_from + MANUAL_INTERVAL
        probe = probe_once(
            target,
            resolve=self._client.resolve,
            get=self._client.get,
            within=self._plan.timeout,
            clock=self._driver,
        )
        return await run_alone(probe, self._driver)

    def _targets(self, service: ServiceName) -> Iterator[Target]:
        if self._inventory is not None and service in self._inventory.services:
            only = {service: self._inventory.services[service]}
            yield from targets(replace(self._inventory, services=only), self._plan)

    async def follow_name_servers(self, ticks: AsyncIterable[None]) -> None:
        """Use the name servers of resolv.conf as they change, unless the plan names others."""
        await watch(ticks, self._name_servers_changed)

    def _name_servers_changed(self, servers: tuple[Server, ...]) -> None:
        if self._plan.follow_resolv_conf:
            self._client.servers = servers
            self._plan = replace(self._plan, resolvers=servers)
            if self._inventory is not None:
                self._schedule.set_targets(targets(self._inventory, self._plan))
