"""The status is made in turns, because a thousand services would hold the event loop."""

from itertools import islice

from exporter.model.moment import Moment
from exporter.web.status import AT_ONCE, status
from tests.fakes import scenes
from tests.fakes.turns import each_turn


def test_other_work_runs_between_services():
    scene, seen = scenes.steady(), []
    verdicts = scene.parts.verdicts
    (view,) = verdicts.views(scene.now)

    def views():
        for number in range(1000):
            seen.append(number)
            yield view

    making = status(
        inventory=verdicts.inventory,
        views=views(),
        requests={},
        recent={},
        lookups={},
        failovers=(),
        failed=(),
        lines=None,
        domain="clusterset.local",
        now=Moment(at=scene.now, unix=scenes.START + scene.now),
    )
    made = [len(seen) for _ in islice(each_turn(making), 1000)]
    assert made == list(range(AT_ONCE, 1001, AT_ONCE))
