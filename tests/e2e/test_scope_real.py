"""Namespaces of a real API server."""

from tests.system.test_cluster_life import member  # noqa: F401 - the fixture
from tests.system.test_cluster_scope import (  # noqa: F401 - the tests, run here too
    pytestmark,
    test_a_namespace_that_may_not_be_read_is_a_problem_that_names_the_right,
    test_check_names_what_is_missing_and_where,
    test_roles_in_its_namespaces_are_enough,
    test_submariner_has_to_be_where_it_is_looked_for,
)
