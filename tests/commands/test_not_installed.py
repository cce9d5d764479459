"""Rights for API groups, on the page: those that are missing and those that nobody needs."""

import pytest

from tests.fakes import apifaults as faults
from tests.fakes.apifaults import Fault
from tests.fakes.memberscene import in_virtual_time


def refused(*groups):
    """Refuse to list the resources of these API groups, as a server does without a rule."""
    refuse = faults.status(403, reason="Forbidden")

    async def what(server, asked):
        return await refuse(server, asked) if asked.group in groups and asked.plural else None

    return Fault(what)


@pytest.mark.parametrize(
    ("groups", "problems"),
    [
        pytest.param(("net.gke.io",), set(), id="not installed"),
        pytest.param(
            ("net.gke.io", "submariner.io"),
            {
                "inventory is stale",
                *(f"watch of {each}" for each in ("gateways", "clusters", "endpoints")),
                "watch of submariners",
            },
            id="installed",
        ),
    ],
)
def test_a_missing_right_is_a_problem_only_where_its_api_group_is_installed(
    tmp_path, groups, problems
):
    """Issue 14.21."""

    async def scenario(_member, here):
        status = await here.page_data.status()
        assert {each["what"] for each in status["problems"]} == problems

    in_virtual_time(scenario, tmp_path, faults=[refused(*groups)])
