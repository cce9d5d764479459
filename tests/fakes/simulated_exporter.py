"""An exporter in a simulated run: the product's own parts, with virtual time around them."""

from dataclasses import replace

from exporter.accesslog.readers.reader import Reader
from exporter.commands.run.handover import Handover
from exporter.commands.run.monitor_settings import monitor_settings
from exporter.commands.run.parts import Parts
from exporter.config.settings import InventorySettings, Settings
from exporter.model.verdicts import Policy
from tests.fakes.simulated_hits import KEY


class Exporter:
    """
    One process.

    Args:
        run: The run, which has the clock and is told of promises and moves.
    """

    def __init__(self, run):
        settings = Settings(inventory=InventorySettings(static="none"), export_grace=7200.0)
        policy = Policy.SPREAD if run.family.spread else Policy.LOCAL
        self.parts = parts = Parts(
            replace(monitor_settings(settings, (KEY,)), policy_of=lambda _: policy),
            local="a",
            moment=run.moment,
            accelerate=run.accelerate,
        )
        self.handover = Handover(parts.verdicts, run.moment, run.accelerate, None)
        self.reader = Reader(parts.logs)
        self._counting = self.reader.counting(run.hits.source)
        self._lines = self._counting.__enter__()
        counted, moved = parts.metrics.checked, parts.metrics.moved

        def checked(service, rule, *, kept):
            run.promises.told[str(rule), kept] += 1
            counted(service, rule, kept=kept)

        def has_moved(failover):
            run.moved.append((run.now, failover))
            moved(failover)

        parts.metrics.checked, parts.metrics.moved = checked, has_moved

    def use(self, inventory):
        """Take a new inventory into use, as the daemon does."""
        self.parts.monitor.inventory_changed(inventory)
        self.reader.forget()

    def read(self, text):
        """Read a block of whole lines."""
        lines = self._lines
        self.parts.logs.logged("access.log", lines.count("", text.encode()), lines.by_second)

    def settle(self):
        """Do what the stages that settle do."""
        self.parts.monitor.settle()
        self.parts.leaks.settle()

    @property
    def waits(self):
        """Return whether something is to be settled."""
        return self.parts.leaks._waiting or self.parts.monitor._promises._waiting

    def counted(self):
        """Yield the hits that were counted: source, locality and number."""
        for rows in self.parts.metrics.requests().values():
            for source, locality, each in rows:
                yield source, str(locality), each.requests
