"""Cases of dashboards/alerts_witnesses.py."""

from tests.fakes.alerts.case import JOB, ME, NO_SERVICE, PAIR, WORLD, Case, exporter

SKEW = f'clusterset_clock_skew_seconds{{{JOB},source_cluster="east",destination_cluster="west"}}'


CASES = [
    Case(
        alert="ClustersetTunnelDown",
        series={f'clusterset_gateway_connected{{{PAIR},view="strict"}}': "1 0x20"},
        not_yet=3,
        fires=5,
        labels={"source_cluster": "east", **WORLD, "view": "strict"},
        gone=frozenset({"destination_service_namespace", "destination_service_name"}),
        severity="critical",
        says="east has no live tunnel to west, so neither could take over for the other.",
        must_not={f'clusterset_gateway_connected{{{PAIR},view="strict"}}': "1x20"},
    ),
    Case(
        alert="ClustersetAttributionMismatch",
        series={
            f'clusterset_attribution_checks_total{{{JOB},destination_cluster="west",'
            f'claimed_cluster="east",attributed_cluster="{each}"}}': samples
            for each, samples in (("east", "0+60x30"), ("north", "0 0+60x30"))
        },
        not_yet=10,
        fires=13,
        labels={**WORLD, "claimed_cluster": "east", "attributed_cluster": "north"},
        gone=NO_SERVICE,
        says="Probes from east reach west with addresses that belong to north: CIDRs are wrong, "
        "or something rewrites addresses.",
        must_not={
            f'clusterset_attribution_checks_total{{{JOB},destination_cluster="west",'
            'claimed_cluster="east",attributed_cluster="east"}': "0+60x30"
        },
    ),
    Case(
        alert="ClustersetProbesForged",
        series=exporter("probe_forgeries_total", "0 0 0 20x20", ',reason="bad_signature"'),
        not_yet=2,
        fires=5,
        labels={**ME, "reason": "bad_signature"},
        gone=NO_SERVICE,
        says="20 requests in the logs of the exporter 10.1.0.9:9877 claim to be probes and "
        "cannot be trusted: bad_signature.",
        must_not=exporter("probe_forgeries_total", "0 0 0 2x20", ',reason="bad_signature"'),
    ),
    Case(
        # The counter of the reason is new with its first event, so only the total rises.
        alert="ClustersetProbesForged",
        series=exporter("probe_forgeries_total", "_ _ _ 20x20", ',reason="bad_signature"')
        | exporter("probes_forged_total", "0 0 0 20x20"),
        not_yet=2,
        fires=5,
        labels={**ME, "reason": "see the board"},
        gone=NO_SERVICE,
        says="20 requests in the logs of the exporter 10.1.0.9:9877 claim to be probes and "
        "cannot be trusted: see the board.",
        must_not=exporter("probe_forgeries_total", "_ _ _ 2x20", ',reason="bad_signature"')
        | exporter("probes_forged_total", "0 0 0 2x20"),
    ),
    Case(
        alert="ClustersetClockSkew",
        series={SKEW: "0 -5x20"},
        not_yet=10,
        fires=12,
        labels={**ME, "destination_cluster": "west"},
        gone=NO_SERVICE - {"source_cluster"},
        says="The clocks of east and west differ by 5s.",
        must_not={SKEW: "1.5x20"},
    ),
]
