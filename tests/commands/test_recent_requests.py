from exporter.commands.run.recent_requests import PARTS, RecentRequests
from exporter.model.traffic import RECENT, Hits
from exporter.model.verdicts import Locality
from tests.fakes.nouns import NGINX

KEY = (NGINX, "a", Locality.LOCAL)


class Made:
    def __init__(self):
        self.now = 0.0
        self.recent = RecentRequests(lambda: self.now)

    def add(self, requests, failures=0, age=0.0):
        hits = Hits(requests=requests, failures=failures, bytes=5)
        self.recent.add(*KEY, hits, self.now - age)

    @property
    def sum(self):
        held = self.recent.sums().get(KEY, Hits())
        return held.requests, held.failures


def test_requests_are_summed_and_then_forgotten():
    made = Made()
    made.add(3, 1)
    made.now = RECENT - 1
    made.add(4)
    assert made.sum == (7, 1)
    made.now = RECENT + 1
    assert made.sum == (4, 0)
    made.now = 2 * RECENT
    assert made.recent.sums() == {}


def test_requests_of_long_ago_that_are_read_now_are_not_recent():
    made = Made()
    made.add(3, age=RECENT + 1)
    made.add(4, age=RECENT - 1)
    assert made.sum == (4, 0)


def test_what_is_asked_twice_is_counted_once():
    made = Made()
    made.add(3)
    assert made.sum == made.sum == (3, 0)


def test_what_is_kept_does_not_grow_while_nobody_asks():
    made = Made()
    for second in range(3 * int(RECENT)):
        made.now = float(second)
        made.add(1)
    assert RECENT * (1 - 1 / PARTS) <= made.sum[0] <= RECENT
