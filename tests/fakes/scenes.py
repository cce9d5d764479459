"""An exporter's knowledge in three situations, brought about by events."""

from dataclasses import replace

from exporter.commands.run.leaks import LEAK_SETTLES
from exporter.commands.run.monitor_settings import monitor_settings
from exporter.commands.run.parts import Parts
from exporter.commands.run.standing import Alone
from exporter.config.settings import InventorySettings, Settings
from exporter.model.moment import Moment
from exporter.model.probes import Failure
from exporter.model.traffic import Client, Hits, LogCounts
from tests.fakes.nouns import NGINX, inventory, probe

LOG = "access.log"
START = 1_794_000_000.0


class Scene:
    """A monitor whose clock is set by hand, in seconds since the start."""

    def __init__(self, **settings):
        self.now = 0.0
        self.hurried = []
        self.settings = Settings(inventory=InventorySettings(static="inventory.yaml"), **settings)
        self.parts = parts = Parts(
            monitor_settings(self.settings),
            local="a",
            moment=lambda: Moment(at=self.now, unix=START + self.now),
            accelerate=self.hurried.append,
        )
        self.monitor, self.logs, self.leaks = parts.monitor, parts.logs, parts.leaks
        self.page_data, self.scrape = parts.page_data(Alone()), parts.scrape(Alone())
        self.render = self.scrape.render

    def configure(self, *keys):
        self.monitor.configure(monitor_settings(self.settings, keys))

    def inventory(self, **words):
        self.monitor.inventory_changed(inventory(**words))

    def wait(self, seconds):
        """Let time pass, awake."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 1)
            self.monitor.settle()
            self.leaks.settle()

    def settle(self):
        """Let what looks like a leak become one, and a move be told."""
        self.wait(LEAK_SETTLES)

    def probe(self, **words):
        """Let a second pass and a probe end."""
        self.wait(1)
        made = probe(self.now - 0.1, **words)
        self.monitor.probed(replace(made, unix=START + made.at))

    def probes(self, *who):
        for each in who:
            self.probe(**({"by": each} if isinstance(each, str) else each))

    def hits(self, **requests):
        clients = {
            Client(NGINX, id_): Hits(requests=n, bytes=615 * n) for id_, n in requests.items()
        }
        total = sum(requests.values())
        self.logs.logged(LOG, LogCounts(read=total + 18, access=total, other=18, clients=clients))


def steady(**settings):
    """All is well: a serves, b stands by."""
    scene = Scene(**settings)
    scene.inventory()
    scene.wait(60)
    scene.probes("a", "a", {"by": "a", "pinned": "a"}, {"by": "b", "pinned": "b"})
    scene.hits(a=1234, external=3)
    return scene


def failover():
    """The readiness of a went, b serves."""
    scene = steady()
    refused = {"by": "a", "reply": Failure.CONNECT_REFUSED}
    scene.probes(refused, refused)
    scene.inventory(ready="b", exported="ab")
    scene.probes("b", "b", {"by": "a", "pinned": "a", "reply": Failure.CONNECT_REFUSED})
    return scene


def blackout():
    """After the failover the tunnel to b dropped."""
    scene = failover()
    scene.inventory(ready="b", exported="ab", connected="a")
    scene.probes({}, {})
    return scene
