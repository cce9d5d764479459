"""The families of simulated runs: which bad things happen in each."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Family:
    """What may happen in one kind of run. Times are seconds."""

    name: str
    clusters: tuple[int, int] = (2, 3)
    """The fewest and the most."""
    changes: int = 3
    """Clusters that go down."""
    apart: tuple[float, float] = (90.0, 160.0)
    """Between two changes."""
    cache: float = 5.0
    """The longest time for which a cache may keep an answer."""
    loss: float = 0.003
    """The largest share of packets that may be lost. Never two in a row: that is an outage."""
    stuck: bool = False
    """One replica of the name server hears of nothing for a long time."""
    lagging: bool = False
    """One replica of the name server hears of everything up to a minute late."""
    watch: bool = False
    """The watch of readiness fails over one change."""
    evicted: bool = False
    """Clusters also go because their export is taken away; the service may be gone for moments."""
    spread: bool = False
    """`policy: spread`, and a name server that prefers nobody."""
    headless: bool = False
    """The name leads to every cluster that is ready."""
    vip: bool = False
    """The name leads to one address of the whole clusterset."""
    buffered: bool = False
    """Workers write their lines in blocks, some of them long after their time."""
    sleeps: float = 0.2
    """How many of the runs have the exporter stopped for a while."""


FAMILIES = {
    family.name: family
    for family in (
        Family(name="calm"),
        Family(name="caches", cache=30.0, apart=(120.0, 200.0)),
        Family(name="loss", loss=0.2),
        Family(name="caches and loss", cache=30.0, loss=0.2, apart=(120.0, 200.0)),
        Family(name="many clusters", clusters=(2, 6), changes=5),
        Family(name="stuck replica", stuck=True, apart=(90.0, 600.0), sleeps=0.0),
        Family(name="lagging replica", lagging=True, apart=(150.0, 220.0)),
        Family(name="watch fails", watch=True, apart=(220.0, 300.0), sleeps=0.0),
        Family(name="evictions", evicted=True),
        Family(name="spread", spread=True, clusters=(2, 4)),
        Family(name="headless", headless=True, clusters=(2, 4)),
        Family(name="clusterset VIP", vip=True),
        Family(name="buffering workers", buffered=True),
    )
}
