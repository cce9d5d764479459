"""Who made a logged request, and for which service; which logged probes can be believed."""

from collections.abc import Mapping

import structlog

from exporter.commands.run.log_hosts import LogHosts
from exporter.commands.run.monitor_settings import Current
from exporter.commands.run.problems import Problems
from exporter.judge.attribute import Attribution
from exporter.judge.calibrate import Calibration
from exporter.judge.named_services import NO_NAMES, ServicesByName, named_service
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.judge.skew import ClockSkew
from exporter.metrics import families as series
from exporter.metrics.record import Metrics
from exporter.model.clusterset import Inventory, Network, ServiceName
from exporter.model.moment import Moment
from exporter.model.probes import Question
from exporter.model.traffic import ProbeHit
from exporter.probe.identity import Forgery, IdentityChecker

ADDRESS_RANGES = "address ranges"
CLOCK_SKEW = "clock_skew"
"""The kind of the finding."""
log = structlog.get_logger()


class Clients:
    """
    Attributes logged requests to clusters and services.

    Args:
        current: The settings in use and the local cluster.
        verdicts: Holds the inventory in use.
        metrics: Counts probes that were seen in logs.
        problems: Shows ranges that two clusters claim, and logs of unknown services.
    """

    def __init__(
        self, current: Current, verdicts: ServiceVerdicts, metrics: Metrics, problems: Problems
    ) -> None:
        self._current, self._verdicts = current, verdicts
        self._metrics, self._problems = metrics, problems
        self.hosts = LogHosts(current, verdicts, problems)
        self._attribution: Attribution | None = None
        self._identities = IdentityChecker(current.settings.keys)
        self._calibration, self._skew = Calibration(), ClockSkew()
        self._skewed: set[str] = set()
        """Clusters whose clocks are shown as a finding."""
        self._mistaken: set[str] = set()
        """Clusters whose probes arrive with addresses of another."""
        for reason in Forgery:
            metrics.count(series.FORGERIES, (reason,), 0)

    def set_inventory(self, inventory: Inventory) -> None:
        """Attribute by the address ranges of this inventory from now on."""
        self._attribution = Attribution(inventory, self._current.settings.trusted_proxies)
        self._show_conflicts(self._attribution.conflicts)
        self.hosts.look()
        for gone in self._skewed - inventory.clusters.keys():
            self._skew.forget(gone)
            self._show_skew(gone)
        for gone in self._mistaken - inventory.clusters.keys():
            self._not_mistaken(gone)

    def is_known(self, service: ServiceName) -> bool:
        """Return whether *service* is in the inventory; show a problem while it is not."""
        inventory = self._verdicts.inventory
        if inventory is not None and service in inventory.services:
            self._problems.solved(f"service {service}")
            return True
        message = f"{service} has an access log here and is not in the inventory: not counted"
        self._problems.problem(f"service {service}", message)
        return False

    def service_of(
        self,
        host: str,
        fixed: ServiceName | None,
        names: ServicesByName = NO_NAMES,
        *,
        by_upstream: bool = False,
        by_route: bool = False,
    ) -> tuple[ServiceName, bool] | None:
        """
        Return the service that a request was for, and whether its host names this cluster.

        Args:
            host: The request's host, empty if it was not logged; or the name of the upstream.
            fixed: The service that the log belongs to; None if the host has to tell.
            names: Services by hosts, or by names of upstreams.
            by_upstream: Whether *host* is the name of an upstream.
            by_route: Whether HTTPRoutes and Ingresses tell the service of a host.
        """
        inventory = self._verdicts.inventory
        if fixed is None:
            domain = self._current.settings.domain
            named = inventory and named_service(
                host, names, inventory, domain, by_upstream=by_upstream, by_route=by_route
            )
            return (named.service, named.pinned == self._current.local) if named else None
        asked = Question.of_name(host, self._current.settings.domain)
        if asked is None:
            return fixed, False
        return fixed, asked == Question(fixed, self._current.local)

    def source_of(self, remote: str, forwarded: str) -> str:
        """Return the cluster that a client address belongs to, by the inventory in use."""
        if self._attribution is None:
            msg = "a log was read before there was an inventory"
            raise RuntimeError(msg)
        return self._attribution.source(remote, forwarded)

    def trusts(self, cluster: str) -> bool:
        """Return whether verified probes confirm the attribution to *cluster*."""
        return self._calibration.trusts(cluster)

    def clock_margin(self, cluster: str) -> float:
        """Return for how many seconds around a change a leak of *cluster* is not certain."""
        # By our own probes it is the clock of the logs that is off, whoever was asked.
        return max(self._skew.margin(cluster), self._skew.margin(self._current.local))

    def probe_hit(self, hit: ProbeHit, now: Moment) -> bool:
        """
        Count a request that claims to be a probe, and was read at *now*.

        Returns:
            False if it is a client's request: there is a key, and the claim cannot be believed.
        """
        inventory = self._verdicts.inventory
        if inventory is None or not self.is_known(hit.service):
            return True
        keys = self._identities.keys = self._current.settings.keys
        origin = self._identities.read(hit.user_agent, inventory, now=now.unix, logged=hit.at)
        if isinstance(origin, Forgery):
            self._metrics.forged(origin)
            return not keys
        if origin.verified:
            if origin.cluster == self._current.local:
                made = now.at - max(0.0, now.unix - origin.made)
                self._verdicts.came_back(origin.service, made)
            self._calibration.saw(origin.cluster, hit.source)
            for cluster in {origin.cluster, hit.source}:
                self._metrics.agreed(cluster, self._calibration.agreement(cluster))
            self._show_mistaken(origin.cluster, hit.source)
            if hit.at is not None:
                self._skew.saw(origin.cluster, origin.made, hit.at)
                self._show_skew(origin.cluster)
        self._metrics.probe_hit(
            hit.service, claimed=origin.cluster, attributed=hit.source, verified=origin.verified
        )
        return True

    def _show_skew(self, cluster: str) -> None:
        seconds = self._skew.seconds(cluster)
        self._metrics.clock_is_off(cluster, seconds)
        what = f"{CLOCK_SKEW} cluster {cluster}"
        if seconds is not None and self._skew.margin(cluster):
            way = "ahead of" if seconds > 0 else "behind"
            message = f"the clock of {cluster} is {abs(seconds):.1f} s {way} that of the logs here"
            if cluster not in self._skewed:
                log.warning("clock skew found", cluster=cluster, seconds=round(seconds, 1))
            self._skewed.add(cluster)
            self._problems.problem(what, message)
        else:
            self._skewed.discard(cluster)
            self._problems.solved(what)
        self._metrics.found({CLOCK_SKEW: len(self._skewed)})

    def _show_mistaken(self, claimed: str, attributed: str) -> None:
        """Show that probes of a cluster arrive as those of another, until most of them agree."""
        if self.trusts(claimed):
            self._not_mistaken(claimed)
        elif claimed != attributed:
            self._mistaken.add(claimed)
            what = f"probes from {claimed}"
            message = (
                f"they arrive with addresses of {attributed}, so CIDRs are wrong, or something "
                "rewrites addresses; leaks of both are not counted"
            )
            if not self._problems.is_shown(what, message):
                log.warning(
                    "probes were attributed to another cluster",
                    cluster=claimed,
                    attributed=attributed,
                )
            self._problems.problem(what, message)

    def _not_mistaken(self, cluster: str) -> None:
        if cluster in self._mistaken:
            self._mistaken.discard(cluster)
            self._problems.solved(f"probes from {cluster}")

    def _show_conflicts(self, conflicts: Mapping[Network, frozenset[str]]) -> None:
        message = "; ".join(
            f"{network} is claimed by {' and '.join(sorted(clusters))}, so its addresses belong "
            "to none"
            for network, clusters in conflicts.items()
        )
        if not message:
            self._problems.solved(ADDRESS_RANGES)
            return
        if not self._problems.is_shown(ADDRESS_RANGES, message):
            log.error("address range claimed twice", error=message)
        self._problems.problem(ADDRESS_RANGES, message)
