"""Many seeded runs of a clusterset that knows the truth; a seed that fails prints itself."""

import logging
import math
import os

import pytest
import structlog

from tests.fakes.simulator import INTERVAL, TIMEOUT, Run

RUNS = int(os.environ.get("SIMULATIONS", "500"))
PARTS = 4
KEPT = (6, 31, 39, 129, 243, 348, 815, 1986, 2334, 3434)
"""Seeds that failed once."""
CONFIRM = 2
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(autouse=True)
def quiet():
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def play(seed):
    """Play one run; return what is wrong with what was reported."""
    run = Run(seed)
    parts = run.play()
    return [f"seed {seed}: {each}" for each in (*moves(run), *modes(run), *hits(run, parts))]


def moves(run):
    wanted, told = list(run.wanted()), run.reported
    if [each.reason for each in told] != ["readiness"] * len(wanted) or any(
        each.to_cluster not in move.right for move, each in zip(wanted, told, strict=False)
    ):
        moved = [f"{each.from_cluster}>{each.to_cluster} {each.reason}" for each in told]
        yield f"moves {moved}, wanted {[(sorted(each.right), each.known) for each in wanted]}"
        return
    for move, failover in zip(wanted, told, strict=True):
        if move.asleep:
            continue
        yield from times(move, failover)


def times(move, failover):
    """Hold the durations to the bound that is exported with them."""
    served, accuracy = failover.durations["served"], failover.accuracy["served"]
    bound = accuracy + 2 * TIMEOUT
    first, last = (max(0.0, moment - move.known) for moment in move.answered)
    if not first - accuracy <= served <= last + bound:
        yield f"served after {served:.2f}, true {first:.2f} to {last:.2f}, bound {bound:.2f}"
    outage, bound = failover.durations["outage"], failover.accuracy["outage"] + 2 * TIMEOUT
    if move.broke is None:
        # Nothing broke; a lost packet, or an answer that is a little late, is all there may be.
        true = (0.0, move.answered[1] - move.answered[0])
    else:
        true = tuple(moment - move.broke for moment in move.answered)
    if not true[0] - bound <= outage <= true[1] + bound:
        yield f"outage {outage:.2f}, true {true}, bound {bound:.2f}"


def modes(run):
    lag = math.ceil(CONFIRM * INTERVAL + 2 * TIMEOUT)
    for at, mode in run.modes:
        if mode == run.mode_is(at):
            continue
        true = {run.mode_is(at - back) for back in range(lag + 1)}
        if at > lag + INTERVAL and len(true) == 1 and None not in true and mode not in true:
            yield f"at {at:.1f} mode {mode}, true {true}"
            return


def hits(run, parts):
    counted = {}
    for rows in parts.metrics.requests().values():
        for source, locality, each in rows:
            assert source in run.clusters[1:]
            counted[str(locality)] = counted.get(str(locality), 0) + each.requests
    if counted != run.truth.hits:
        yield f"hits {counted}, true {run.truth.hits}"


@pytest.mark.parametrize("part", range(PARTS))
def test_seeded_runs(part):
    wrong = [each for seed in range(part, RUNS, PARTS) for each in play(seed)]
    assert not wrong, f"{len(wrong)} wrong: {wrong[:5]}"


@pytest.mark.parametrize("seed", KEPT)
def test_seeds_that_failed_once(seed):
    assert play(seed) == []
