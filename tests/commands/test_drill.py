"""The verdict of a drill by what inventories and probes tell, without waiting; and in a cluster."""

import asyncio
import re

import pytest

from exporter.commands.drill import watch
from exporter.commands.drill.cluster import drill_in_cluster
from exporter.commands.drill.course import MAX_EVENTS, Course
from exporter.commands.drill.judgement import findings
from exporter.commands.drill.report import DrillReport, as_json, as_text
from exporter.commands.drill.shell_command import CommandResult
from exporter.commands.drill.watch import Drill, DrillOptions
from exporter.judge.locality import Graces
from exporter.judge.service_verdicts import ServiceVerdicts
from exporter.model.moment import Moment
from exporter.model.probes import Failure
from exporter.model.verdicts import Policy
from tests.commands.test_check_cluster import asked, member_in
from tests.fakes.nouns import NGINX, inventory, probe

GRACE = 5.0
REFUSED = Failure.CONNECT_REFUSED


class Rehearsal:
    """A drill in which time passes only as the test says: a probe a second."""

    def __init__(self, **at_first):
        self.now, self.told = 0.0, []
        self.verdicts = ServiceVerdicts(
            confirm=2,
            pinned=False,
            stale_after=60,
            graces_of=lambda _: Graces(leak=GRACE, export=600),
            policy_of=lambda _: Policy.LOCAL,
        )
        self.course = Course(service=NGINX, confirm=2, tell=self.told.append)
        self.change(**at_first)
        self.first = at_first

    def begin(self, by):
        self.probes(3, by=by)
        (view,) = self.verdicts.views(self.now)
        self.course.begin(view, self.moment())
        return self

    def moment(self):
        return Moment(at=self.now, unix=1_000_000 + self.now)

    def change(self, **words):
        found = inventory(**words)
        self.verdicts.set_inventory(found, self.now)
        self.course.set_inventory(found, self.verdicts.right(NGINX), self.moment())
        self.course.moved(self.verdicts.settle(), self.moment())

    def probes(self, number, **words):
        for _ in range(number):
            self.now += 1
            made = probe(self.now, **words)
            self.course.probed(made, self.verdicts.probed(made, made.ended), self.moment())

    def findings(self, *, command=None, interrupted=False):
        return list(
            findings(
                self.course,
                mode=self.verdicts.mode(NGINX),
                grace=GRACE,
                ended=self.now,
                command=command,
                interrupted=interrupted,
            )
        )

    def report(self, **more):
        return DrillReport(
            local="a",
            course=self.course,
            began=Moment(at=0, unix=1_000_000),
            ended=self.moment(),
            interval=0.2,
            **{
                "dns_only": False,
                "command": None,
                "not_started": None,
                "blind": None,
                "findings": tuple(self.findings()),
            }
            | more,
        )


def rehearsed():
    made = Rehearsal().begin("a")
    made.probes(2, by="a", reply=REFUSED)
    made.change(ready="b")
    made.probes(1, by="a", reply=REFUSED)
    made.probes(4, by="b")
    made.change()
    made.probes(8, by="a")
    return made


def test_a_good_drill_has_no_finding():
    made = rehearsed()
    assert made.findings() == []
    assert [each.failover.to_cluster for each in made.course.moves] == ["b", "a"]
    assert made.course.failed == {REFUSED: 3}


def test_the_old_cluster_is_answered_until_the_end():
    made = Rehearsal().begin("a")
    made.change(ready="b")
    made.probes(10, by="a")
    made.change()
    made.probes(8, by="a")
    assert made.findings() == [
        "b should have served for 10.0 s, and a did at its end.",
        "Nobody took over.",
    ]


def test_nobody_could_serve():
    made = Rehearsal().begin("a")
    made.change(ready="b", connected="a")
    made.probes(10)
    made.change()
    made.probes(8, by="a")
    assert made.findings() == [
        "For 10.0 s no cluster could serve: none was ready and connected.",
        "Nobody took over.",
    ]


def test_one_reply_is_no_failover():
    made = Rehearsal().begin("a")
    made.change(ready="b")
    made.probes(1, by="b")
    made.change()
    made.probes(8, by="a")
    assert made.findings() == ["b served too briefly: 2 probes in a row confirm it."]


def test_a_wrong_cluster_took_over():
    made = Rehearsal(ready="abc").begin("a")
    made.change(ready="b", exported="abc")
    made.probes(40, by="c")
    assert "Clients moved to c, and b should have served." in made.findings()


def test_one_of_several_goes_that_did_not_serve_at_that_moment():
    made = Rehearsal(ready="bc").begin("b")
    made.probes(2, by="c")
    made.change(ready="c", exported="bc")
    made.probes(8, by="c")
    made.change(ready="bc")
    made.probes(8, by="c")
    assert (made.findings(), made.course.moves) == ([], [])


def test_a_lost_packet_is_not_what_the_drill_waits_for():
    made = Rehearsal().begin("a")
    made.probes(1, answer=Failure.TIMEOUT)
    made.probes(3, by="a")
    assert not made.course.happened
    assert made.findings()[0].startswith("Nothing happened")


def test_it_was_not_brought_back():
    made = Rehearsal().begin("a")
    made.change(ready="b")
    made.probes(8, by="b")
    assert made.findings() == ["At the end a was not back: it should not serve yet."]
    made.change()
    made.probes(8, by="b")
    assert made.findings() == [
        "a should have served for 8.0 s, and b did at its end.",
        "At the end b served, and a should have.",
    ]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (0, []),
        (3, ["The command failed with exit code 3."]),
        (-9, ["The command was ended by signal 9."]),
        (None, ["The command was stopped after 1.0 s, before its end."]),
    ],
)
def test_the_command_counts(code, told):
    command = CommandResult(line="x", exit_code=code, seconds=1.0)
    assert rehearsed().findings(command=command) == told


def test_the_report_fits_eighty_columns_and_cuts_no_word():
    long = "sh -c " + " ".join(f"argument{n}" for n in range(30)) + " " + "x" * 100
    command = CommandResult(line=long, exit_code=0, seconds=3.0)
    text = as_text(rehearsed().report(command=command, dns_only=True, blind=2.0))
    assert [len(line) for line in text.splitlines() if len(line) > 80] == [104]
    assert text.split()[text.split().index("argument0") :][:31] == long.split()[2:]
    assert re.search(r"a to b: readiness changed\n    dns \d\.\d\d s \(±\d\.\d\d\), served", text)
    assert "3 of 15 probes failed (3 connect_refused); " in " ".join(text.split())
    assert "For 2.0 s changes of the cluster could not be seen" in " ".join(text.split())
    assert "Only the name was looked up" in text


def test_durations_that_nobody_measured_are_not_invented():
    made = rehearsed()
    moved = made.course.moves[0].failover
    object.__setattr__(moved, "durations", {})
    assert "durations are not known: nobody probed meanwhile" in as_text(made.report())
    assert as_json(made.report())["moves"][0]["durations_seconds"] == {}


def test_a_service_that_flaps_does_not_fill_the_memory():
    made = Rehearsal().begin("a")
    for _ in range(MAX_EVENTS):
        made.probes(1, by="a")
        made.probes(1)
    assert len(made.course.events) == MAX_EVENTS
    assert f"{made.course.untold} more events were not kept" in as_text(made.report())


def options(tell=lambda _: None):
    return DrillOptions(command=None, timeout=1.0, tell=tell, saw=lambda _: None)


async def test_in_a_cluster_the_inventory_is_discovered(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "BEGIN_WITHIN", 0.5)
    said = []
    async with member_in(tmp_path) as member:
        wanted = options(said.append)
        found = await drill_in_cluster(*await asked(member), wanted, asyncio.Event())
    assert found.local == "cluster1"
    (finding,) = found.findings
    assert finding.startswith("The drill did not begin: ")
    (waiting,) = said
    assert waiting.startswith("Waiting for 0.5 s at most until ")
    assert "Nothing was counted, because the drill did not begin." in as_text(found)


async def test_the_report_says_for_how_long_changes_were_not_seen(tmp_path):
    async with member_in(tmp_path) as member:
        loaded, name, _ = await asked(member)
    drill, now = Drill(loaded, name, options(), asyncio.Event()), asyncio.get_running_loop().time()
    drill.became_stale("endpointslices", now - 7)
    assert drill._report(Moment(at=now, unix=0), None, "x").blind == pytest.approx(7, abs=1)
    drill.recovered("endpointslices")
    assert drill._report(Moment(at=now, unix=0), None, "x").blind == pytest.approx(7, abs=1)
