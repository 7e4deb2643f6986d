"""Threads wait as the command line sets it, unless the user has chosen."""

from __future__ import annotations

import pytest

from stylegraft.runtime.openmp import wait_briefly


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}),
        ({"OMP_WAIT_POLICY": "active"}, {"OMP_WAIT_POLICY": "active"}),
        ({"GOMP_SPINCOUNT": "5"}, {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "5"}),
    ],
)
def test_threads_wait_briefly_unless_the_user_decides(given, expected):
    environment = dict(given)
    wait_briefly(environment)
    assert environment == expected
