"""Watches one service with fast probes while somebody takes a cluster away and brings it back."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from exporter.commands.drill.course import Course, DrillEvent
from exporter.commands.drill.judgement import findings
from exporter.commands.drill.report import DrillReport
from exporter.commands.drill.shell_command import ShellCommand
from exporter.commands.load import RuntimeConfig
from exporter.judge.locality import Graces
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.model.clusterset import Address, Inventory, ServiceName
from exporter.model.moment import Moment
from exporter.model.probes import Probe
from exporter.model.verdicts import Mode, ServiceView
from exporter.probe.client import ProbeClient
from exporter.probe.drivers.asyncio_driver import AsyncioDriver
from exporter.probe.drivers.runner import Runner
from exporter.probe.schedule import Schedule
from exporter.probe.targets import targets

BEGIN_WITHIN = 20.0
"""Seconds within which the service must be seen to stand as it should before a drill."""
SETTLE_EVERY = 0.05
"""Seconds between two looks at whether the drill is over."""


class _Step(IntEnum):
    """How far a drill has come. Each step may take as long as the limit says."""

    WAITING = 0
    HAPPENED = 1
    """Another cluster should take over."""
    TAKEN_OVER = 2
    """The cluster should come back."""
    HOME = 3
    """All is as before, and should stay so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillOptions:
    """What the operator wants."""

    command: str | None
    timeout: float
    """Seconds for each step of a drill, and for the command."""
    tell: Callable[[str], None]
    """Called with what the operator should know or do now."""
    saw: Callable[[DrillEvent], None]
    """Called with each event."""


class Drill:
    """
    One drill.

    Args:
        loaded: The configuration.
        service: The service.
        options: What the operator wants.
        stop: Set when the operator ends the drill.
    """

    def __init__(
        self,
        loaded: RuntimeConfig,
        service: ServiceName,
        options: DrillOptions,
        stop: asyncio.Event,
    ) -> None:
        settings, plan = loaded.settings, loaded.probes
        self._loaded, self._service, self._options, self._stop = loaded, service, options, stop
        self._pace = replace(plan.pace, jitter=0.0)
        self._interval, self._clock = plan.pace.fast_interval, asyncio.get_running_loop().time
        self.verdicts = ServiceVerdicts(
            confirm=settings.probe.confirm,
            pinned=settings.probe.pinned,
            stale_after=10 * (self._interval + plan.timeout),
            graces_of=lambda _: Graces(leak=settings.leak_grace, export=settings.export_grace),
            policy_of=lambda each: settings.probe.for_service(each).policy,
            record=plan.record,
        )
        self._course = Course(service=service, confirm=settings.probe.confirm, tell=options.saw)
        self._runner = Runner(AsyncioDriver())
        self._client = ProbeClient(plan, loaded.local, self._owner_of)
        self._schedule = Schedule(
            self._runner,
            self._pace,
            resolve=self._client.resolve,
            get=self._client.get,
            emit=self._probed,
            skipped=lambda _: None,
            delayed=lambda _: None,
        )
        self._dns_only, self._local = True, loaded.local
        self._blind, self._blind_since = 0.0, dict[str, float]()

    def set_inventory(self, inventory: Inventory) -> None:
        """Take a new inventory into use."""
        now = self._moment()
        if inventory.local != self._local:
            # Discovery finds the local cluster only after the start.
            self._local = inventory.local
            client = self._client = ProbeClient(self._loaded.probes, self._local, self._owner_of)
            self._schedule.configure(self._pace, resolve=client.resolve, get=client.get)
        known = {n: s for n, s in inventory.services.items() if n == self._service}
        only = replace(inventory, services=known)
        self.verdicts.set_inventory(only, now.at)
        wanted = [
            replace(each, interval=self._interval)
            for each in targets(only, self._loaded.probes)
            if each.decides
        ]
        self._dns_only = all(each.request is None for each in wanted)
        self._schedule.set_targets(wanted)
        self._course.set_inventory(only, self.verdicts.right(self._service), now)
        self._course.moved(self.verdicts.settle(), now)

    def became_stale(self, resource: str, since: float) -> None:
        """Take in that changes of *resource* are not seen from *since* on."""
        self.verdicts.unseen.failed(resource, since)
        self._blind_since[resource] = since

    def recovered(self, resource: str) -> None:
        """Take in that *resource* is known again."""
        self.verdicts.unseen.recovered(resource, self._clock())
        since = self._blind_since.pop(resource, None)
        if since is not None:
            self._blind = max(self._blind, self._clock() - since)

    async def run(self) -> DrillReport:
        """Watch until the drill is over, or stopped; the first inventory has been set."""
        began, options = self._moment(), self._options
        command = None if options.command is None else ShellCommand(options.command, self._clock)
        trouble: str | None = None
        with self._runner:
            self._schedule.begin()
            try:
                trouble = await self._until_well()
                if trouble is None:
                    await self._rehearse(command)
            finally:
                if command is not None:
                    await command.stop()
                self._schedule.end()
        return self._report(began, command, trouble)

    async def _until_well(self) -> str | None:
        """Wait until the service stands as it should; return what is wrong if it does not."""
        self._options.tell(
            f"Waiting for {BEGIN_WITHIN:g} s at most until {self._service} is as it should be."
        )
        end, trouble = self._clock() + BEGIN_WITHIN, "nothing is known yet"
        while self._clock() < end and not self._stop.is_set():
            await self._runner.ended(SETTLE_EVERY)
            view = self._view()
            trouble = next(_troubles(view), "")
            if view is not None and not trouble:
                self._course.begin(view, self._moment())
                return None
        return trouble

    async def _rehearse(self, command: ShellCommand | None) -> None:
        if command is None:
            self._options.tell("Take the cluster away now, and bring it back.")
        else:
            await command.start()
        step, since = _Step.WAITING, self._clock()
        while not self._stop.is_set():
            await self._runner.ended(SETTLE_EVERY)
            now, running = self._clock(), command.running_for if command is not None else None
            if running is not None and running > self._options.timeout:
                return
            newest = self._step(running is not None)
            if newest is None or (now - since > self._options.timeout and running is None):
                return
            if command is not None and newest is _Step.WAITING and self._failed(command):
                return
            if newest > step:
                step, since = newest, now

    def _step(self, running: bool) -> _Step | None:
        """Return how far the drill has come; None if it is over."""
        course = self._course
        if not course.happened:
            return _Step.WAITING
        home = course.is_home(self.verdicts.mode(self._service))
        if not home:
            return _Step.TAKEN_OVER if course.taken_over else _Step.HAPPENED
        calm = self._clock() - course.changed_at > self._loaded.settings.leak_grace
        return None if calm and not running else _Step.HOME

    def _failed(self, command: ShellCommand) -> bool:
        """Return whether the command failed for so long that it changed nothing."""
        result = command.result
        failed = result is not None and result.exit_code != 0
        return failed and command.ended_for > self._loaded.settings.leak_grace

    def _probed(self, probe: Probe) -> None:
        now = self._moment()
        verdict = self.verdicts.probed(probe, probe.ended)
        if verdict is not None and probe.question.pinned is None:
            self._course.probed(probe, verdict, now)

    def _view(self) -> ServiceView | None:
        return next(iter(self.verdicts.views(self._clock())), None)

    def _owner_of(self, service: ServiceName, address: Address) -> str | None:
        return self.verdicts.owner(service, address, self._clock())

    def _moment(self) -> Moment:
        return Moment(at=self._clock(), unix=time.time())

    def _report(
        self, began: Moment, command: ShellCommand | None, trouble: str | None
    ) -> DrillReport:
        ended, course, stopped = self._moment(), self._course, self._stop.is_set()
        result = None if command is None else command.result
        if course.home is None:
            why = "interrupted" if stopped else trouble
            found: tuple[str, ...] = (f"The drill did not begin: {why}.",)
        else:
            found = tuple(
                findings(
                    course,
                    mode=self.verdicts.mode(self._service),
                    grace=self._loaded.settings.leak_grace,
                    ended=ended.at,
                    command=result,
                    interrupted=stopped,
                )
            )
        blind = max((ended.at - since for since in self._blind_since.values()), default=0.0)
        return DrillReport(
            local=self._local,
            course=course,
            began=began,
            ended=ended,
            interval=self._interval,
            dns_only=self._dns_only,
            command=result,
            not_started=self._options.command if result is None else None,
            blind=max(blind, self._blind) or None,
            findings=found,
        )


def _troubles(view: ServiceView | None) -> Iterator[str]:
    if view is None:
        yield "it is not in the inventory"
        return
    expected = " or ".join(sorted(view.expected)) or "nobody"
    if view.mode is Mode.UNKNOWN:
        yield "which cluster serves is not known from here"
    elif view.mode not in {Mode.LOCAL, Mode.REMOTE} or view.serving not in view.expected:
        yield f"{view.serving or 'nobody'} serves and {expected} should, mode {view.mode}"
    elif not view.standbys:
        yield "no other cluster that is ready and connected answers, so nobody would take over"
