"""The table of suites reads a test's name rightly, and says why a place is empty."""

from __future__ import annotations

import pytest

from tests import suite


@pytest.mark.parametrize(
    ("nodeid", "expected"),
    [
        ("tests/contract/test_store.py::test_a[memory]", [("Store", "memory")]),
        ("tests/contract/test_meter.py::test_a[server, cluster-1000]", [("Meter", "server")]),
        ("tests/contract/test_meter_model.py::test_a[cloudflare]", [("Meter", "cloudflare")]),
        ("tests/contract/test_tables.py::test_a[100-embedded, durability power]", [("Tables", "embedded")]),
        ("tests/contract/test_crypto.py::test_a[memory and embedded-RS256]", [("Crypto", "memory"), ("Crypto", "embedded")]),
        ("tests/contract/fetch/test_tls.py::test_a[uvloop]", [("Fetch", "embedded"), ("Fetch", "server")]),
        ("tests/contract/fetch/test_fetch.py::test_a[asyncio-cloudflare]", [("Fetch", "cloudflare")]),
        ("tests/contract/test_index.py::test_a", []),
        ("tests/unit/test_meter.py::test_a[memory]", []),
    ],
)  # fmt: skip
def test_a_tests_place_is_in_its_name(nodeid: str, expected: list[suite.Place]) -> None:
    assert suite.places(nodeid) == expected


def test_a_run_is_told_by_port_and_home() -> None:
    counts = suite.counted(
        [
            ("tests/contract/test_index.py::test_a[memory]", "passed"),
            ("tests/contract/test_index.py::test_b[memory]", "skipped"),
            ("tests/contract/test_index.py::test_b[embedded]", "failed"),
            ("tests/unit/test_a.py::test_a", "passed"),
        ]
    )
    head, index = suite.lines(counts)
    assert head.split() == list(suite.HOMES)
    for told in ("1 passed, 1 skipped", "1 failed", "not run"):
        assert told in index
