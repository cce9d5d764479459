"""A change of leader in a simulated run: what is left for the next one, and when it takes over."""

from tests.fakes.simulated_exporter import Exporter
from tests.fakes.simulated_hits import START

RENEWED_EVERY = 2.0
LEASE = 15.0


class Leaders:
    """
    The exporter that leads, and the one after it.

    One of these happens in a run: the leader is killed, and a standby waits for its lease; it ends
    in an orderly way and releases the lease; it is killed and starts again in place. Families with
    evictions lose the node: the leader, and the replica of the local cluster, at the same moment.

    Args:
        run: The run.
    """

    def __init__(self, run):
        self._run, chance = run, run.more
        change = chance.choice(run.changes)
        at = chance.uniform(change.first - 12, change.last + 12)
        self.kind = chance.choice(("killed", "ended", "restarted"))
        crashes = [c for c in run.changes if c.cluster == "a" and c.serves < c.ready and not c.up]
        if run.family.evicted and crashes:
            self.kind, at = "killed", chance.choice(crashes).serves
        self._noted = at if self.kind == "ended" else at - chance.uniform(0, RENEWED_EVERY)
        away = {
            "killed": self._noted - at + LEASE + chance.uniform(0, 1.6),
            "ended": chance.uniform(1.0, 2.0),
            "restarted": chance.uniform(0.5, 20),
        }
        self.away = (at, at + away[self.kind])
        self._note = ""
        self._next = None

    @property
    def forgotten(self):
        """From when until when the leader learned what it leaves to nobody."""
        return self._noted, self.away[0]

    @property
    def unseen_for(self):
        """Return the seconds up to the take-over in which the next leader saw no change."""
        return self.away[1] - self._noted if self.kind == "restarted" else 0.0

    def forgets(self, change):
        """
        Return whether a leader that is started again does not know what was before *change*.

        The note has only the newest state of each cluster's export.
        """
        return self.kind == "restarted" and change.known <= self._noted

    def plan(self):
        """Plan what happens. A standby follows the inventory all the time."""
        run = self._run
        if self.kind != "restarted":
            self._next = Exporter(run)
            self._follow(None)
            for change in run.changes:
                if change.gone_for:
                    run.do_anyway(change.known - change.gone_for, self._follow)
                run.do_anyway(change.known, self._follow)
        run.do_anyway(self._noted, self._leave, rank=9)
        run.do_anyway(self.away[1], self._take_over, rank=-1)

    def look(self):
        """Do what a standby does all the time: notice that it was not stopped."""
        if self._next is not None:
            self._next.parts.monitor.look()

    def _follow(self, _):
        if self._next is not None:
            self._next.handover.observe(self._run.inventory_at(self._run.now, anyway=True))

    def _leave(self, _):
        self._note = self._run.exporter.handover.for_lease()

    def _take_over(self, _):
        run = self._run
        run.retire()
        exporter, self._next = self._next or Exporter(run), None
        run.exporter, run.running = exporter, False
        exporter.handover.offer(self._note, START + self._noted)
        exporter.handover.begin()
        exporter.use(run.inventory_at(run.now, anyway=True))
        # The plan of the probes begins anew.
        run.hurried, run.due = 0.0, run.now + run.more.uniform(0, run.interval)
        run.do(run.due, run.start, run.due, rank=3)
        exporter.handover.look_closer()
        run.hasten()
