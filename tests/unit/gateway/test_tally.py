"""Metrics of several processes, added up."""

from __future__ import annotations

from penstock.gateway.tally import added, counted

ONE = """# HELP a_total Things.
# TYPE a_total counter
a_total{path="/v1/x y",status="200"} 3
a_total{path="/z",status="200"} 1
# HELP now Now.
# TYPE now gauge
now 5
# HELP none_total Never yet.
# TYPE none_total counter
"""
OTHER = """# HELP a_total Things.
# TYPE a_total counter
a_total{path="/v1/x y",status="200"} 4
a_total{path="/w",status="500"} 2
# HELP now Now.
# TYPE now gauge
now 2
# HELP none_total Never yet.
# TYPE none_total counter
none_total 1
"""
TIMED = """# HELP t_seconds Times.
# TYPE t_seconds histogram
t_seconds_bucket{le="0.5"} 1
t_seconds_bucket{le="+Inf"} 2
t_seconds_sum 1.250000
t_seconds_count 2
"""
BOTH = """# HELP a_total Things.
# TYPE a_total counter
a_total{path="/v1/x y",status="200"} 7
a_total{path="/z",status="200"} 1
a_total{path="/w",status="500"} 2
# HELP now Now.
# TYPE now gauge
now 7
# HELP none_total Never yet.
# TYPE none_total counter
none_total 1
"""


def test_each_sample_is_the_sum_of_those_with_its_labels() -> None:
    assert added([ONE, OTHER]) == BOTH


def test_histograms_add_up_and_are_left_to_who_comes_next() -> None:
    assert counted(TIMED) == TIMED
    twice = TIMED.replace("} 1", "} x").replace("} 2", "} 4").replace("x", "2")
    assert added([TIMED, TIMED]) == twice.replace("1.25", "2.50").replace("count 2", "count 4")


def test_one_alone_stays_as_it_is() -> None:
    assert added([ONE]) == ONE
    assert added([ONE, ""]) == ONE


def test_a_process_leaves_its_counters_and_not_its_gauges() -> None:
    left = counted(ONE)
    assert "gauge" not in left
    assert added([left, OTHER]).replace("now 2", "now 7").count("a_total{") == 3
    assert 'a_total{path="/v1/x y",status="200"} 7' in added([left, OTHER])
