import pytest

from exporter.config.label_selector import EVERYTHING, Selection, parse_selector

LABELS = [("team", "shop"), ("app.kubernetes.io/name", "cart"), ("empty", "")]


@pytest.mark.parametrize(
    ("selector", "wanted"),
    [
        ("", True),
        ("team=shop", True),
        ("team == shop", True),
        ("team=web", False),
        ("team!=web", True),
        ("team!=shop", False),
        ("absent!=shop", True),
        ("absent=shop", False),
        ("team", True),
        ("absent", False),
        ("!absent", True),
        ("!team", False),
        ("empty=", True),
        ("team in (web, shop)", True),
        ("team in (web)", False),
        ("team notin (web)", True),
        ("absent notin (web)", True),
        ("team notin (web,shop)", False),
        ("app.kubernetes.io/name=cart,team in (shop,web),!absent", True),
        ("app.kubernetes.io/name=cart,team in (a,b),!absent", False),
    ],
)
def test_labels_are_selected_as_kubectl_does(selector, wanted):
    assert Selection(labels=parse_selector(selector)).wants_labels(LABELS) is wanted


@pytest.mark.parametrize("selector", ["a=b,,c=d", "team in shop", "=shop", "a b", "a=b=c"])
def test_what_is_no_selector_is_refused_with_what_would_work(selector):
    with pytest.raises(ValueError, match=r"is not a label selector; write for example team=shop"):
        parse_selector(selector)


def test_namespaces_are_patterns():
    selection = Selection(namespaces=("shop", "team-*"))
    assert [selection.wants_namespace(each) for each in ("shop", "team-a", "shops")] == [
        True,
        True,
        False,
    ]
    assert EVERYTHING.wants_namespace("kube-system")
