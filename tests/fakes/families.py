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
    watches: bool = False
    """Several watches fail, each by itself, and recover one after the other."""
    leaders: bool = False
    """The leader is killed, ended or evicted, mostly in the middle of a change."""
    long: bool = False
    """Requests take up to a minute; their log lines say how long, and are written at the end."""
    clocks: bool = False
    """The clock of the log writer, and those of other clusters, are off by up to 30 s."""
    uneven: bool = False
    """In half of the runs the name server gives one of several right clusters too often."""
    services: int = 1
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
    weight: float = 1.0
    """Runs of this family, for one of another."""


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
        Family(name="each watch", watches=True, evicted=True, apart=(200.0, 300.0), sleeps=0.0),
        Family(name="leader changes", leaders=True, sleeps=0.0),
        Family(name="leader evicted", leaders=True, evicted=True, loss=0.1, sleeps=0.0),
        Family(name="long requests", long=True),
        Family(name="clock skew", clocks=True, apart=(150.0, 220.0)),
        Family(
            name="uneven spread", uneven=True, clusters=(3, 4), changes=1, apart=(2400.0, 2600.0)
        ),
        Family(name="200 services", services=200, sleeps=0.0, weight=0.05),
    )
}
