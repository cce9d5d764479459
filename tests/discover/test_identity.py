"""Which cluster this is, by whom, and what happens where two disagree."""

import pytest

from exporter.discover.findings import FindingKind
from exporter.discover.identity import Identity, IdentityError, IdentitySource, identify
from exporter.discover.parse_karmada import KARMADA_NAMESPACE
from tests.fakes.objects import Objects


def told(objects, setting="", own=None):
    kept = objects.trimmed()
    return identify(
        setting,
        gateways=kept.get("gateways", {}).values(),
        submariners=kept.get("submariners", {}).values(),
        exports=kept.get("serviceexports", {}).values(),
        own_annotations=own,
    )


@pytest.fixture
def objects():
    return Objects("scene")


def test_the_setting_goes_first(objects):
    known = told(objects, setting="cluster1")
    assert known == Identity(
        cluster="cluster1", source=IdentitySource.SETTING, karmada_cluster="member1"
    )


def test_then_the_active_gateway(objects):
    known = told(objects)
    assert (known.cluster, known.source, known.findings) == (
        "cluster1",
        IdentitySource.GATEWAY,
        frozenset(),
    )


def test_a_passive_gateway_does_not_count_then_the_submariner_object(objects):
    objects.get("Gateway", "gw1")["status"]["haStatus"] = "passive"
    assert told(objects).source is IdentitySource.SUBMARINER


def test_then_karmadas_annotation_on_an_export_or_on_our_own_object(objects):
    objects.drop("Gateway", "Submariner")
    known = told(objects)
    assert (known.cluster, known.source) == ("member1", IdentitySource.KARMADA)
    objects.drop("ServiceExport")
    known = told(objects, own={KARMADA_NAMESPACE: "karmada-es-member1"})
    assert (known.cluster, known.source) == ("member1", IdentitySource.KARMADA)


@pytest.mark.parametrize("own", [None, {}, {KARMADA_NAMESPACE: "member1"}, {"other": "x"}])
def test_else_it_is_refused_with_the_four_ways_to_tell(objects, own):
    objects.drop("Gateway", "Submariner", "ServiceExport")
    with pytest.raises(IdentityError) as caught:
        told(objects, own=own)
    for way in ("CLUSTER_NAME", "status.localEndpoint", "spec.clusterID", KARMADA_NAMESPACE):
        assert way in str(caught.value)


@pytest.mark.parametrize("name", ["external", "Cluster_1", "a" * 64])
def test_what_is_no_cluster_id_is_refused(objects, name):
    with pytest.raises(IdentityError, match="the settings is"):
        told(objects, setting=name)


def test_a_karmada_name_that_differs_is_no_conflict(objects):
    known = told(objects)
    assert (known.karmada_cluster, known.findings) == ("member1", frozenset())


@pytest.mark.parametrize(
    ("setting", "submariner", "text"),
    [
        (
            "east",
            "cluster1",
            {
                "the settings says east, the active Gateway says cluster1; east is taken",
                "the settings says east, the Submariner object says cluster1; east is taken",
            },
        ),
        (
            "",
            "c1",
            {"the active Gateway says cluster1, the Submariner object says c1; cluster1 is taken"},
        ),
    ],
)
def test_sources_that_disagree_are_found(objects, setting, submariner, text):
    objects.get("Submariner", "submariner")["spec"]["clusterID"] = submariner
    findings = told(objects, setting=setting).findings
    assert {each.kind for each in findings} == {FindingKind.IDENTITY_CONFLICT}
    assert {each.text for each in findings} == text


def test_our_own_object_goes_before_an_export_that_somebody_copied(objects):
    known = told(objects, own={KARMADA_NAMESPACE: "karmada-es-member2"})
    assert known.karmada_cluster == "member2"
    (finding,) = known.findings
    assert finding.text == (
        f"the annotation {KARMADA_NAMESPACE} says member2 and member1; member2 is taken"
    )
