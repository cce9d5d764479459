"""What was staged beside what the exporters reported, row by row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exporter.demo import parts
from exporter.demo.clusterset import DNS_DELAY, Clusterset, Samples
from exporter.demo.layout import Site
from exporter.model.verdicts import FailoverStage, Reason

SLACK = parts.FAST * (1 + parts.CONFIRM)
"""Seconds by which a duration may differ: a probe at the fast interval, and its confirmation."""


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One staged fact, and what an exporter reported of it."""

    exporter: str
    what: str
    staged: str
    reported: str
    equal: bool


@dataclass(frozen=True, slots=True)
class Move:
    """A staged change after which the name should lead to another cluster."""

    what: str
    changed: float
    """When the inventory said so, unix seconds."""
    broke: float | None = None
    """When nobody served any more; None if somebody always did."""

    @property
    def served(self) -> float:
        """Return when the name servers followed, so that clients were served again."""
        return self.changed + DNS_DELAY


@dataclass(slots=True)
class Comparison:
    """The rows of the table; a row that is not equal means that an exporter was wrong."""

    rows: list[ComparedRow] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Return True if everything was reported as it was staged."""
        return all(row.equal for row in self.rows)

    def note(self, site: Site, what: str, staged: str, reported: str) -> None:
        """Compare two texts that must be the same."""
        self.rows.append(ComparedRow(site.id, what, staged, reported, staged == reported))

    def near(self, site: Site, what: str, staged: float, reported: float, slack: float) -> None:
        """Compare two durations that may differ by *slack*, all in seconds."""
        shown = f"{staged:.2f} s" + (f" ± {slack:.1f}" if slack else "")
        near = abs(reported - staged) <= slack
        self.rows.append(ComparedRow(site.id, what, shown, f"{reported:.2f} s", near))

    def failover(
        self, site: Site, move: Move, reason: str, took: Mapping[str, float], *, slack: float
    ) -> None:
        """Compare the durations of a reported failover with the staged change."""
        self.note(site, f"{move.what}, reason", Reason.READINESS, reason)
        for stage in (FailoverStage.DNS, FailoverStage.SERVED):
            self.near(site, f"{move.what}, {stage}", DNS_DELAY, took[stage], slack)
        outage = 0.0 if move.broke is None else move.served - move.broke
        # The begin of an outage is known only as well as the probes were frequent then.
        late = 0.0 if move.broke is None else parts.INTERVAL + SLACK
        self.near(site, f"{move.what}, outage", outage, took[FailoverStage.OUTAGE], late)

    async def totals(
        self,
        clusterset: Clusterset,
        here: Site,
        moves: Sequence[Move],
        outages: Mapping[str, float],
    ) -> None:
        """
        Compare the counters of all exporters with everything that was staged.

        Args:
            clusterset: Where.
            here: The site whose exporter saw the moves.
            moves: All moves.
            outages: Seconds without service that no move ended, by cluster.
        """
        logged = await clusterset.logged()
        by_id = {site.id: site for site in clusterset.sites}
        for key in sorted(logged.keys() | clusterset.requests.keys()):
            source, destination, locality = key
            what = f"{locality} from {source}"
            staged, reported = clusterset.requests[key], logged[key]
            self.note(by_id[destination], what, f"{staged} requests", f"{reported} requests")
        for site in clusterset.sites:
            samples = await clusterset.metrics(site)
            self._failovers(site, samples, moves if site is here else (), outages.get(site.id))
            self._attribution(site, samples)

    def _failovers(
        self, site: Site, samples: Samples, moves: Sequence[Move], other: float | None
    ) -> None:
        reported = sum(value for _, value in samples.get("clusterset_failovers_total", []))
        self.note(site, "failovers", str(len(moves)), f"{reported:.0f}")
        outages = [move.served - move.broke for move in moves if move.broke is not None]
        outages += [] if other is None else [other]
        outage = sum(value for _, value in samples["clusterset_service_outage_seconds_total"])
        if outages:
            slack = len(outages) * (parts.INTERVAL + SLACK)
            self.near(site, "outage in all", sum(outages), outage, slack)
        else:
            self.note(site, "outage in all", "0 s", f"{outage:.0f} s")

    def _attribution(self, site: Site, samples: Samples) -> None:
        checks = samples["clusterset_attribution_checks_total"]
        agree = sum(n for at, n in checks if at["claimed_cluster"] == at["attributed_cluster"])
        same = agree and agree == sum(n for _, n in checks)
        self.note(
            site, "attribution of probes", "all agree", "all agree" if same else "some do not"
        )
