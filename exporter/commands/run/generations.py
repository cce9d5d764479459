"""Daemons that follow each other in one process, because the cluster has got a better name."""

import asyncio
import gc
from collections.abc import Callable
from functools import partial

import structlog

from exporter.commands.load import RuntimeConfig
from exporter.commands.run.daemon import Daemon
from exporter.config.yaml_reader import SettingsError
from exporter.discover.identity import BetterNameError, IdentityError
from exporter.model.clusterset import ServiceName
from exporter.model.probes import Probe
from exporter.web.app import Pages

log = structlog.get_logger()


class EndedError(Exception):
    """The exporter cannot continue; a new process may succeed."""


class Ending:
    """The end of a daemon: by a signal, or by an error."""

    def __init__(self) -> None:
        self.signal = asyncio.Event()
        """Set by signals; then no daemon follows."""
        self._failed = asyncio.Event()
        self._error: Exception | None = None
        self._generation = 0

    def of_next(self) -> Callable[[Exception], None]:
        """
        Return what ends the next daemon because of an error, unless it ends already.

        A daemon that ends gives up its Lease, for example, and reports that as an error, too.
        """
        self._generation += 1
        return partial(self._end, self._generation)

    def _end(self, generation: int, error: Exception) -> None:
        ends = self.signal.is_set() or self._failed.is_set()
        if generation == self._generation and not ends:
            self._error = error
            self._failed.set()

    async def wait(self) -> None:
        """Wait until the daemon has to end."""
        waits = [asyncio.create_task(each.wait()) for each in (self.signal, self._failed)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    @property
    def reason(self) -> str:
        """Return why the daemon ends."""
        return "a signal, SIGTERM or SIGINT" if self._error is None else str(self._error)

    def renewed(self) -> bool:
        """Return whether another daemon follows in this process, and begin anew if so."""
        if self.signal.is_set() or not isinstance(self._error, BetterNameError):
            return False
        self._error = None
        self._failed.clear()
        return True

    def raise_error(self) -> None:
        """Raise the error that ended the process, if there is one."""
        if isinstance(self._error, IdentityError):
            raise SettingsError(str(self._error)) from self._error
        if self._error is not None and not isinstance(self._error, BetterNameError):
            raise EndedError(str(self._error)) from self._error


class Generations:
    """
    The daemons of one process, one after the other.

    Nothing that was counted under the old name is carried over: each daemon has its own series.

    Args:
        make: Makes a daemon; called with the configuration, and as `end` with what ends it
            because of an error.
        loaded: The configuration to start with.
        ending: Set when the daemon has to end.
    """

    def __init__(self, make: Callable[..., Daemon], loaded: RuntimeConfig, ending: Ending) -> None:
        self._make, self.ending = make, ending
        self.daemon = make(loaded, end=ending.of_next())

    def pages(self) -> Pages:
        """Return where the answers of the HTTP server come from, whichever daemon is at work."""

        def now() -> Pages:
            return self.daemon.pages

        async def probe(service: ServiceName) -> Probe | None:
            ask = now().probe
            return None if ask is None else await ask(service)

        return Pages(
            metrics=lambda openmetrics: now().metrics(openmetrics),
            asked=lambda who: now().asked(who),
            status=lambda: now().status(),
            page=lambda status: now().page(status),
            not_ready=lambda: now().not_ready(),
            hung=lambda: now().hung(),
            reload=lambda: now().reload(),
            probes=lambda service: now().probes(service),
            probe=probe,
            shown=now().shown,
        )

    async def run(self, started: Callable[[Daemon], None]) -> None:
        """
        Run the daemon, and those that follow it, until the process has to end.

        Args:
            started: Called each time that a daemon has started.
        """
        while True:
            daemon = self.daemon
            async with asyncio.TaskGroup() as group:
                await daemon.start(group)
                started(daemon)
                await self.ending.wait()
                reason, renewed = self.ending.reason, self.ending.renewed()
                log.info(
                    "name of the local cluster changed" if renewed else "stopping", reason=reason
                )
                if renewed:
                    # The old series are of a wrong name, so they are not served any more.
                    self.daemon = self._make(daemon.loaded, end=self.ending.of_next())
                daemon.stop()
            if not renewed:
                return
            del daemon
            # The objects of the old one would stay in memory for ever.
            gc.unfreeze()
            await self.daemon.prepare()
