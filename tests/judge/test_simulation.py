"""Many seeded runs of a clusterset that knows the truth; a seed that fails prints itself."""

import logging
import math
import os

import pytest
import structlog

from exporter.judge.handover import STALE_INTERVALS
from tests.fakes.families import FAMILIES
from tests.fakes.simulated_hits import START
from tests.fakes.simulated_lookups import TIMEOUT
from tests.fakes.simulated_services import ManyServices
from tests.fakes.simulated_world import INTERVAL
from tests.fakes.simulator import FAST_FOR, Run

RUNS = int(os.environ.get("SIMULATIONS", "76"))
KEPT = (
    ("many clusters", 4),  # a change that the name server knew first broke promises
    ("evictions", 6),
    ("caches and loss", 2),  # answers repeated by a cache were an uneven spread
    ("long requests", 18),  # lines that were read first after a pause
    ("long requests", 34),  # a leak became a failover, because its cluster failed afterwards
    ("clock skew", 66),  # a leak by the clock of the logs, which was off for all clusters
    ("clock skew", 260),  # the local exporter's probes had another clock than its changes
    ("leader changes", 55),  # the predecessor's last probe was older than its last note
    ("leader changes", 63),  # a standby forgot what it had followed
    ("leader evicted", 93),
    ("caches and loss", 20),
    ("caches and loss", 23),
    ("stuck replica", 14),
    ("stuck replica", 37),
    ("evictions", 0),
    ("evictions", 2),
    ("evictions", 45),
    ("buffering workers", 44),
    ("leader evicted", 103),  # the cause came after the last note of a killed leader
    ("leader evicted", 283),  # a service that was gone for moments, and lost packets
    ("leader evicted", 325),
    ("leader evicted", 341),
    ("leader evicted", 383),  # the last note was written while the service was gone
    ("leader changes", 510),  # a line of the time before the newest change in the note
)
"""Seeds that failed once."""
CONFIRM = 2
TINY = 0.02
"""Seconds that a probe takes, and that a moment of the simulation is not exact."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(autouse=True)
def quiet():
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def play(family, seed):
    """Play one run; return what is wrong with what was reported."""
    if FAMILIES[family].services > 1:
        wrong = ManyServices(FAMILIES[family], seed).play().wrong()
        return [f"{family} {seed}: {each}" for each in wrong]
    run = Run(FAMILIES[family], seed)
    run.play()
    wrong = (*moves(run), *modes(run), *leaders(run), *hits(run), *run.promises.wrong())
    return [f"{family} {seed}: {each}" for each in wrong]


def moves(run):
    wanted, told = list(run.wanted()), list(reported(run))
    told = [each for each in told if not is_turn(run, each)]
    if len(told) != len(wanted) or any(
        each.to_cluster not in move.right or each.reason not in move.reasons
        for move, each in zip(wanted, told, strict=True)
    ):
        moved = [f"{each.from_cluster}>{each.to_cluster} {each.reason}" for each in told]
        expected = [(sorted(each.right), each.known, *each.reasons) for each in wanted]
        yield f"moves {moved}, wanted {expected}"
        return
    for move, failover in zip(wanted, told, strict=True):
        if move.asleep or not failover.durations:
            continue
        yield from times(run, move, failover)


def reported(run):
    """Yield the moves that were counted, in their order."""
    before = None
    for at, each in run.moved:
        twice = run.leaders is not None and before is not None and is_same(run, before, each)
        if not twice:
            yield each
        before = at, each


def is_same(run, before, each):
    """Return whether a killed leader counted a move that it could not leave to the next one."""
    (at, one), (noted, killed) = before, run.leaders.forgotten
    same = (one.from_cluster, one.to_cluster) == (each.from_cluster, each.to_cluster)
    return same and noted <= at <= killed


def is_turn(run, failover):
    """Return whether one of several right clusters went, and the others had not been seen yet."""
    at = failover.unix - START
    for change in run.changes:
        if change.cluster != failover.from_cluster or change.up:
            continue
        before = run.right(change.ready - 0.01, lambda each: each.ready)
        after = run.right(change.ready, lambda each: each.ready)
        near = change.first <= at <= change.last + run.ttl + 3 * INTERVAL
        if near and len(before) > 1 and failover.to_cluster in before & after:
            return True
    return False


def times(run, move, failover):
    """Hold the durations to the bound that is exported with them."""
    served, accuracy = failover.durations["served"], failover.accuracy["served"]
    # Where the answer came before the cause was known, it is where the measurement begins.
    begin = min(move.known, move.answered[0])
    first, last = max(0.0, move.answered[0] - move.known), move.answered[1] - begin
    bound = accuracy + TINY
    if failover.reason != "unknown" and not first - bound <= served <= last + bound:
        yield f"served after {served:.2f}, true {first:.2f} to {last:.2f}, bound {bound:.2f}"
    dns, bound = failover.durations["dns"], failover.accuracy["dns"] + TINY
    if failover.reason != "unknown" and not first - bound <= dns <= last + bound:
        yield f"dns after {dns:.2f}, true {first:.2f} to {last:.2f}, bound {bound:.2f}"
    outage, bound = failover.durations["outage"], failover.accuracy["outage"] + TINY
    if move.broke is None:
        # Nothing broke; a lost packet, or an answer that is a little late, is all there may be.
        true = (0.0, move.answered[1] - move.answered[0])
    else:
        true = tuple(moment - move.broke for moment in move.answered)
    if not true[0] - bound <= outage <= true[1] + bound:
        yield f"outage {outage:.2f}, true {true}, bound {bound:.2f}"
    # Probes were fast before the first new answer, one of them not lost, and until it was served.
    seen = any(move.known < at < move.answered[0] for at in run.answered_at)
    quick = seen and served < FAST_FOR - run.fast
    if any(start < move.known < end for _, start, end in run.watches):
        # The watch of something else failed, and what it would have said is not known.
        quick = False
    # While the service was gone, nobody saw what changed.
    limit = 3 * run.fast + TIMEOUT + TINY + move.gone_for + unled(run, move, failover)
    if quick and failover.reason != "unknown" and accuracy > limit:
        yield f"accuracy of served {accuracy:.2f} though probes were fast"


def unled(run, move, failover):
    """Return by how much a change of leader in the middle of *failover* widens its accuracy."""
    if run.leaders is None:
        return 0.0
    (noted, begun), (_, ended) = run.leaders.forgotten, run.sleep
    if not (begun < failover.unix - START and move.known - move.gone_for < ended):
        return 0.0
    # The next leader knows only that its predecessor probed within an interval before its note.
    return run.leaders.unseen_for + ended - noted + INTERVAL + TIMEOUT / STALE_INTERVALS


def modes(run):
    lag = math.ceil(CONFIRM * INTERVAL + 2 * TIMEOUT)
    for at, mode in run.modes:
        if mode == run.true_mode.at(at):
            continue
        true = {*run.true_mode.during(at - lag, at)}
        if at > lag + INTERVAL and len(true) == 1 and None not in true and mode not in true:
            yield f"at {at:.1f} mode {mode}, true {true}"
            return


def leaders(run):
    """After a change of leader each mode is known soon, because probes are fast then."""
    if run.leaders is None:
        return
    begun = run.sleep[1] + 5 * run.fast + 2 * TIMEOUT
    at, mode = next(each for each in run.modes if each[0] > begun)
    gone = any(change.known - change.gone_for < at < change.known + 60 for change in run.changes)
    if mode == "unknown" and not gone:
        yield f"no mode at {at:.1f}, the new leader began at {run.sleep[1]:.1f}"


def hits(run):
    counted, allowed = run.counted(), run.hits.allowed
    if sum(counted.values()) != allowed.total():
        yield f"hits {counted}, true {dict(allowed)}"
        return
    for locality in {*counted, *(each for found in allowed for each in found)}:
        least = allowed[frozenset({locality})]
        most = sum(n for found, n in allowed.items() if locality in found)
        if not least <= counted.get(locality, 0) <= most:
            yield f"hits {counted}, true {dict(allowed)}"
            return


@pytest.mark.parametrize("family", FAMILIES)
def test_seeded_runs(family):
    weights = {each.name: each.weight for each in FAMILIES.values()}
    runs = max(1, round(RUNS * weights[family] / sum(weights.values())))
    wrong = [each for seed in range(runs) if (found := play(family, seed)) for each in found[:1]]
    print(f"{family}: {runs} runs, {len(wrong)} wrong")  # noqa: T201 - shown with -s or -rA
    assert not wrong, f"{len(wrong)} wrong of {runs}: {wrong[:5]}"


@pytest.mark.parametrize(("family", "seed"), KEPT)
def test_seeds_that_failed_once(family, seed):
    assert play(family, seed) == []
