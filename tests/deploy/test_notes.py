"""What Helm prints after an installation: it tells what comes next, and only what is true."""

import shutil

import pytest

from tests.fakes.charts import CHART, objects, one

pytestmark = pytest.mark.slow
AS_OBJECT = """\
kind: Notes
metadata: {name: notes}
text: {{ tpl (.Files.Get "files/NOTES.txt") . | toJson }}
"""


@pytest.fixture(scope="module")
def chart(tmp_path_factory):
    """Copy the chart with its notes as an object, because Helm prints notes with a cluster only."""
    made = tmp_path_factory.mktemp("notes") / "clusterset-exporter"
    shutil.copytree(CHART, made)
    shutil.copy(made / "templates" / "NOTES.txt", made / "files" / "NOTES.txt")
    (made / "templates" / "notes.yaml").write_text(AS_OBJECT)
    return made


UNSIGNED, UNMONITORED = "Probes are not signed", "by their annotations only"
NO_REGISTRY, WAIT, CHECK = "No registry is set", "rollout status", "-- clusterset-exporter check"
SHARD, HELM_TEST = "The status page of a shard", "helm test locality"
PUSHED = {"image": {"repository": "registry.test/clusterset-exporter"}}
KEY = {"probeKey": {"existingSecret": "mine"}}
LINES = {UNSIGNED, UNMONITORED, NO_REGISTRY, WAIT, CHECK, SHARD, HELM_TEST}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {UNSIGNED, UNMONITORED, NO_REGISTRY, CHECK}),
        ({**PUSHED, **KEY}, {UNMONITORED, CHECK}),
        ({**KEY, "image": {"registry": "registry.test"}}, {UNMONITORED, CHECK}),
        ({**KEY, "global": {"imageRegistry": "registry.test"}}, {UNMONITORED, CHECK}),
        ({**PUSHED, **KEY, "podMonitoring": {"enabled": True}}, {CHECK}),
        ({**PUSHED, "serviceMonitor": {"enabled": True}}, {UNSIGNED, CHECK}),
        ({**PUSHED, **KEY, "shards": 2}, {UNMONITORED, CHECK, SHARD}),
        ({**PUSHED, **KEY, "helmTest": {"service": "a/b"}}, {UNMONITORED, HELM_TEST}),
        ({**PUSHED, **KEY, "karmada": {"enabled": True}}, {UNMONITORED, WAIT}),
    ],
)
def test_they_tell_what_holds_for_these_values(chart, values, expected):
    text = one(objects(values, chart, "locality"), "Notes")["text"]
    assert {line for line in LINES if line in text} == expected
    assert "port-forward" in text
    assert "\n\n\n" not in text
    assert not text.startswith("\n")
