"""Cases of dashboards/objectives.py: for each objective one for each speed of its budget."""

from tests.fakes.alerts.case import BOTH, GLOBAL, JOB, SERVICE, Case

HOME = f'{JOB},source_cluster="west",destination_cluster="west",{SERVICE},locality="local"'


def failing(failures):
    """Return a hundred requests a second, of which some fail."""
    return {
        f"clusterset_requests_total{{{HOME}}}": "0+6000x900",
        f"clusterset_request_failures_total{{{HOME}}}": failures,
    }


def leaking(leaks):
    """Return a hundred local requests a second, and some that leak beside them."""
    return {
        f'clusterset_requests_total{{{BOTH},locality="leak"}}': leaks,
        f"clusterset_requests_total{{{HOME}}}": "0+6000x900",
    }


def failed(window, percent):
    return f"In the last {window}, {percent} of the requests for shop/cart failed."


def went(window, percent):
    return (
        f"In the last {window}, {percent} of the requests for shop/cart went to another cluster "
        "although their own was ready."
    )


CASES = [
    Case(
        alert="ClustersetErrorBudgetBurn",
        series=failing("0x59 0+6000x60"),
        not_yet=60,
        fires=70,
        labels={"window": "1h"},
        gone=GLOBAL,
        severity="critical",
        says=failed("1h", "13.11%"),
        must_not=failing("0+3x900"),
    ),
    Case(
        alert="ClustersetErrorBudgetBurn",
        series=failing("0+60x900"),
        not_yet=10,
        fires=40,
        labels={"window": "6h"},
        gone=GLOBAL,
        says=failed("6h", "1%"),
        must_not=failing("0+30x900"),
    ),
    Case(
        alert="ClustersetErrorBudgetBurn",
        series=failing("0+18x900"),
        not_yet=60,
        fires=480,
        labels={"window": "3d"},
        gone=GLOBAL,
        says=failed("3d", "0.3%"),
        # Too many failed for an hour, but that was more than six hours ago.
        must_not=failing("0+180x60 10800x900"),
    ),
    Case(
        alert="ClustersetLocalityBudgetBurn",
        series=leaking("0+1500x900"),
        not_yet=2,
        fires=10,
        labels={"window": "1h"},
        gone=GLOBAL,
        severity="critical",
        says=went("1h", "20%"),
        must_not=leaking("0+900x900"),
    ),
    Case(
        alert="ClustersetLocalityBudgetBurn",
        series=leaking("0+666x900"),
        not_yet=10,
        fires=60,
        labels={"window": "6h"},
        gone=GLOBAL,
        says=went("6h", "9.991%"),
        # Over six hours it leaked, but it is over.
        must_not=leaking("0+1500x20 30000x900"),
    ),
    Case(
        alert="ClustersetLocalityBudgetBurn",
        series=leaking("0+180x900"),
        not_yet=60,
        fires=480,
        labels={"window": "3d"},
        gone=GLOBAL,
        says=went("3d", "2.913%"),
        must_not=leaking("0+1500x60 90000x900"),
    ),
]
