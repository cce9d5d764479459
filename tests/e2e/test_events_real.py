"""Kubernetes Events on a real API server, with the rights that the chart grants."""

from tests.apiserver.test_events import (  # noqa: F401 - the tests, run here too
    test_a_long_message_is_cut_and_a_service_that_is_not_there_is_passed_over,
    test_an_event_that_is_gone_begins_anew,
    test_another_replica_counts_on,
    test_kubectl_describe_finds_what_happened_at_the_service,
    test_leaks_of_two_clusters_are_two_events,
    test_the_same_reason_again_is_the_same_event_with_a_count,
)
