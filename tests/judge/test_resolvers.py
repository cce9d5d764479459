"""Two name servers of the system that name different clusters."""

from exporter.judge.resolvers import Disagreement, ResolverJudge
from exporter.model.clusterset import ServiceName

CART = ServiceName("shop", "cart")
HOME = frozenset("a")


def asked(*answers, right=HOME):
    judge = ResolverJudge(confirm=2)
    for resolver, cluster in answers:
        judge.answered(resolver, CART, cluster, right=right)
    return judge


def test_two_answers_each_are_a_disagreement_and_fewer_are_none():
    judge = asked(("1", "a"), ("1", "a"), ("2", "b"))
    assert list(judge.disagreements()) == []
    judge.answered("2", CART, "b", right=HOME)
    assert list(judge.disagreements()) == [Disagreement(CART, (("1", "a"), ("2", "b")))]
    judge.answered("2", CART, "a", right=HOME)
    assert list(judge.disagreements()) == []


def test_no_address_is_an_answer_too():
    judge = asked(("1", "a"), ("1", "a"), ("2", ""), ("2", ""))
    assert len(list(judge.disagreements())) == 1


def test_clusters_that_take_turns_by_design_are_no_disagreement():
    answers = [("1", "b"), ("1", "b"), ("2", "c"), ("2", "c")]
    assert list(asked(*answers, right=frozenset("bc")).disagreements()) == []


def test_what_is_gone_is_forgotten():
    both = [("1", "a"), ("1", "a"), ("2", "b"), ("2", "b")]
    for resolvers, services in (("1", [CART]), ("12", [])):
        judge = asked(*both)
        judge.keep(frozenset(resolvers), frozenset(services))
        assert list(judge.disagreements()) == []
