"""What `deploy/` has for Prometheus, Grafana and a collector: every metric and label it names is one of ours."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.pages import ROOT, read

DEPLOY = ROOT / "deploy"
OF_PROMETHEUS = {"job", "instance", "le"}
METRIC = re.compile(
    r"\b(penstock_\w+?)(?:_bucket|_sum|_count)?\b(?![\w\"])(?:\{(?P<labels>[^}]*)\})?"
)
LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
BY = re.compile(r"\bby\s*\(([^)]*)\)")
PLACED = re.compile(r"\{\{\s*(?:\$labels\.)?(\w+)")


def known() -> dict[str, set[str]]:
    """Each metric of the reference with its labels; a test of the reference compares it with `/metrics`."""
    page = read("docs/reference/http.md")
    rows = re.findall(r"^\| `(penstock_\w+)` \| ([^|]+) \|", page, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`(?! \()", _plain(labels))) for name, labels in rows}


def _plain(labels: str) -> str:
    """Without the values that stand behind a label in brackets."""
    return re.sub(r" \([^)]*\)", "", labels)


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana" / "penstock.json").read_text())
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def asked() -> Iterator[tuple[str, str, str]]:
    """(where, what is asked, what is said of it) of everything that asks for a metric."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]
    for rule in rules():
        yield rule["alert"], rule["expr"], rule["annotations"]["summary"]
    for note in dashboard()["annotations"]["list"]:
        yield note["name"], note["expr"], ""


@pytest.mark.parametrize(("where", "expr", "said"), list(asked()))
def test_what_is_asked_for_is_served(where: str, expr: str, said: str) -> None:
    metrics, by = known(), set(itertools.chain(*map(_names, BY.findall(expr))))
    found = [match for match in METRIC.finditer(expr) if match[1] in metrics]
    assert len(found) == expr.count("penstock_"), where
    assert found or expr.startswith("up{")
    labels = OF_PROMETHEUS.union(*[metrics[match[1]] for match in found])
    for match in found:
        assert set(LABEL.findall(match["labels"] or "")) <= metrics[match[1]] | OF_PROMETHEUS
    assert by <= labels
    placed = set(PLACED.findall(said)) - {"value"}
    assert placed <= by | OF_PROMETHEUS
    for opened, closed in ("()", "{}", "[]"):
        assert expr.count(opened) == expr.count(closed)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def test_a_name_that_is_not_ours_would_be_seen() -> None:
    with pytest.raises(AssertionError):
        test_what_is_asked_for_is_served("x", "sum(penstock_nothing_total)", "")
    with pytest.raises(AssertionError):
        test_what_is_asked_for_is_served("x", 'sum(penstock_requests_total{colour="red"})', "")
    with pytest.raises(AssertionError):
        test_what_is_asked_for_is_served("x", "sum by (colour) (penstock_requests_total)", "")


def test_the_dashboards_panels_have_places_and_ids_of_their_own() -> None:
    every = dashboard()["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    taken: set[tuple[int, int]] = set()
    for panel in every:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}  # fmt: skip
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize(
    "word", ["spent", "saved", "hit rate", "duration", "failed", "attempts", "budgets", "slots"]
)
def test_the_dashboard_shows(word: str) -> None:
    assert any(word in panel["title"].lower() for panel in panels())


def test_the_examples_fit_together() -> None:
    scrape = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    [job] = scrape["scrape_configs"]
    assert (job["job_name"], job["metrics_path"]) == ("penstock", "/metrics")
    assert scrape["rule_files"] == ["alerts.yml"]
    collector = yaml.safe_load((DEPLOY / "opentelemetry" / "collector.yaml").read_text())
    [endpoint] = [one["endpoint"] for one in collector["receivers"]["otlp"]["protocols"].values()]
    assert endpoint.endswith(":4318")
    parts = {*collector["receivers"], *collector["processors"], *collector["exporters"]}
    for pipeline in collector["service"]["pipelines"].values():
        assert {name for names in pipeline.values() for name in names} <= parts
