"""The acts that are played on the clusterset; each is compared with what exporters report."""

import asyncio
import time

from exporter.demo import parts
from exporter.demo.clusterset import DNS_DELAY
from exporter.demo.layout import Site
from exporter.demo.observer import BURST_SIZE, Observer
from exporter.model.verdicts import Locality, Mode


class Story(Observer):
    """Plays the acts one after the other."""

    async def play(self) -> None:
        """Play all acts and compare."""
        here = self.clusterset.sites[0]
        await self._all_local("All is well.")
        await self._fails(here)
        await self._returns(here)
        await self._leaks(here)
        await self._stuck_replica(here)
        if len(self.clusterset.sites) > 2:  # noqa: PLR2004 - it takes two remote clusters
            await self._one_of_two_is_dead(here, self.clusterset.sites[2])
        await self._fails(here)
        await self._cut_off(here)
        await self._all_local("All is well again.")
        await self.comparison.totals(self.clusterset, here, self.moves, self.outages)

    async def _all_local(self, title: str) -> None:
        self._say(title, "Each cluster's clients should be served by their own.")
        for site in self.clusterset.sites:
            await self._see(site, Mode.LOCAL, standbys=len(self.clusterset.sites) - 1)
        await self._burst(self.clusterset.sites)

    async def _fails(self, site: Site) -> None:
        self._say(f"nginx of {site.id} fails.", "Nobody knows yet, so its clients fail.")
        broke = await self.clusterset.stop_backend(site)
        await asyncio.sleep(1.5 * parts.INTERVAL)
        self._tell(f"{await self._failing(site)} of {BURST_SIZE} requests of its clients fail")
        changed = self.clusterset.set_ready(site, ready=False)
        self._tell(f"its readiness follows, and {DNS_DELAY:.0f} s later the name servers")
        self._move("failover", changed, broke)
        await self._moved(site, Mode.FAILOVER)
        for other in self.clusterset.sites[1:]:
            await self._see(other, Mode.LOCAL, standbys=len(self.clusterset.sites) - 2)
        await self._burst([site])

    async def _returns(self, site: Site) -> None:
        self._say(f"nginx of {site.id} returns.", "Its clients should come home.")
        await self.clusterset.start_backend(site)
        self._move("failback", self.clusterset.set_ready(site, ready=True))
        await self._moved(site, Mode.LOCAL)

    async def _leaks(self, site: Site) -> None:
        other = self.clusterset.sites[1]
        self._say(
            f"Clients of {site.id} keep an old address of {other.id}.",
            f"{site.id} is ready for longer than leak_grace, so that is a leak.",
        )
        await asyncio.sleep(parts.LEAK_GRACE + 0.5)
        for _ in range(BURST_SIZE):
            await self.clusterset.request(site, Locality.LEAK, other.service)
        self._tell(f"{BURST_SIZE} requests of clients in {site.id}: {BURST_SIZE} by {other.id}")
        await self._logs_tell()

    async def _stuck_replica(self, site: Site) -> None:
        self._say(
            f"The name server of {site.id} gets a second replica, which is stuck.",
            f"It has not seen that {site.id} is ready again, so about half of all answers are old.",
        )
        self.clusterset.set_stuck_replica(site, stuck=True)
        await self._see(site, Mode.MIXED)
        await self._burst([site], Locality.LEAK)
        self.clusterset.set_stuck_replica(site, stuck=False)
        self._tell("the replica recovers")
        await self._see(site, Mode.LOCAL)
        counted = await self.clusterset.failovers(site)
        what = "failovers, with a stuck replica"
        self.comparison.note(site, what, "0", f"{counted - len(self.moves):.0f}")

    async def _one_of_two_is_dead(self, site: Site, dead: Site) -> None:
        self._say(
            f"nginx of {dead.id} fails, and nobody notices. Then {site.id} is drained.",
            "Two clusters should serve its clients, and one of them is dead.",
        )
        broke = await self.clusterset.stop_backend(dead)
        await self._see(dead, Mode.BLACKOUT)
        self._move("failover", self.clusterset.set_ready(site, ready=False))
        await self._moved(site, Mode.DEGRADED, slack=parts.FAST)
        await self._see_half_served(site)
        await self._burst([site])
        await self.clusterset.start_backend(dead)
        self.outages[dead.id] = time.time() - broke
        self._tell(f"nginx of {dead.id} returns")
        await self._see(dead, Mode.LOCAL)
        await self._see(site, Mode.FAILOVER)
        self._move("failback", self.clusterset.set_ready(site, ready=True))
        await self._moved(site, Mode.LOCAL)

    async def _cut_off(self, site: Site) -> None:
        self._say(f"The links of {site.id} drop while it is down.", "Nobody can serve its clients.")
        changed = self.clusterset.set_links(site, up=False)
        await self._see(site, Mode.BLACKOUT, standbys=0)
        self._tell(f"{await self._failing(site)} of {BURST_SIZE} requests of its clients fail")
        await self.clusterset.start_backend(site)
        back = self.clusterset.set_ready(site, ready=True)
        self._tell("nginx returns, then the links")
        self._move("recovery", back, changed + DNS_DELAY)
        await self._moved(site, Mode.LOCAL)
        self.clusterset.set_links(site, up=True)
