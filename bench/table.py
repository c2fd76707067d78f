"""The record as a table for people, with what limited it."""

from __future__ import annotations

from collections.abc import Mapping

QUIET = 0.05
NEAR = 0.7
"""A contender this near to its source's own rate waited for the source."""
CONTENDERS = (
    "penstock", "nginx_static", "nginx", "litellm", "portkey",
    "bare_aiohttp", "bare_pyreqwest", "bare_httpx",
)  # fmt: skip
RATIOS = (
    "w1_vs_nginx", "w1_vs_litellm", "w1_vs_portkey", "w2_vs_nginx", "w2_vs_litellm", "w3_vs_nginx",
    "w3_cpu_vs_aiohttp", "w3_paced_cpu_vs_aiohttp", "w1_final_rows_share", "start_seconds",
    "idle_rss_mb",
)  # fmt: skip


def show(record: Mapping[str, float]) -> str:
    """Markdown, one table a workload."""
    parts = [_chat(record), _hits(record), _streams(record, "w3"), _streams(record, "w3_paced")]
    busy = max(record[f"{name}_others_share"] for name in ("w1", "w2", "w3", "w3_paced"))
    if busy > QUIET:
        parts.append(
            f"**Not a quiet machine: others took up to {busy:.0%} of the gateway's core.**"
        )
    ratios = [f"| {key} | {record[key]:.3g} |" for key in RATIOS]
    return "\n\n".join([*parts, "\n".join(["| figure | |", "|---|---|", *ratios])])


def _chat(record: Mapping[str, float]) -> str:
    lines = [
        "W1, chat at concurrency 64",
        "",
        "| | requests/s | CPU µs | p99 ms | |",
        "|---|---|---|---|---|",
    ]
    for name in CONTENDERS:
        source = "w1_static_rps" if name == "nginx_static" else "w1_source_rps"
        rate = record[f"w1_{name}_rps"]
        note = "the source was the limit" if rate > NEAR * record[source] else ""
        cpu, p99 = record[f"w1_{name}_cpu_us"], record[f"w1_{name}_p99_ms"]
        lines.append(f"| {name} | {rate:,.0f} | {cpu:,.0f} | {p99:,.1f} | {note} |")
    lines.append(f"| the source alone | {record['w1_source_rps']:,.0f} | | | |")
    return "\n".join(lines)


def _hits(record: Mapping[str, float]) -> str:
    lines = ["W2, exact cache", "", "| | requests/s | CPU µs |", "|---|---|---|"]
    for name in ("penstock_cache", "litellm_cache"):
        rate, cpu = record[f"w2_{name}_rps"], record[f"w2_{name}_cpu_us"]
        lines.append(f"| {name} | {rate:,.0f} | {cpu:,.0f} |")
    return "\n".join(lines)


def _streams(record: Mapping[str, float], prefix: str) -> str:
    how = "paced" if prefix.endswith("paced") else "flat out"
    lines = [
        f"W3, 100-chunk streams, {how}",
        "",
        "| | CPU µs a chunk | chunks/s | |",
        "|---|---|---|---|",
    ]
    source = record[f"{prefix}_source_chunks_per_s"]
    for name in ("penstock", "bare_aiohttp", "nginx"):
        rate = record[f"{prefix}_{name}_chunks_per_s"]
        note = "the source was the limit" if how == "flat out" and rate > NEAR * source else ""
        lines.append(
            f"| {name} | {record[f'{prefix}_{name}_us_per_chunk']:.1f} | {rate:,.0f} | {note} |"
        )
    lines.append(f"| the source alone | | {source:,.0f} | |")
    return "\n".join(lines)
