"""The path tests in a Worker's interpreter, on a Worker's bindings: each file is run there by a pytest of its own."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sysconfig
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.platforms.migrations import shipped
from tests.contract.edges import statements
from tests.edge.home import END_SECONDS, HERE, PACKAGES, ROOT
from tests.edge.node import NODE

PATHS = ROOT / "tests" / "path"
NO_FILE = {
    "test_bad_requests.py": "asks through the server's own HTTP, whose parser is native code",
    "test_shared_ends.py": "how a call that requests share ends for each of them",
    "test_schemathesis.py": "schemathesis stands on native code",
    "test_alerts.py": "by the minute; there a turn comes every five, and test_alerts_anywhere.py has what holds on both",
    "test_alerts_sent.py": "several processes on one table, and letters",
    "test_monthly_mailed.py": "no mail there",
    "test_reindex.py": "an index of Vectorize is one model's, and another's is another one",
}
FLIGHTS = (
    "test_five_hundred_askers_at_once_make_one_call",
    "test_followers_read_the_leaders_stream_and_outlive_it",
    "test_who_asks_the_same_meanwhile_reads_along",
    "test_batches_that_overlap_buy_what_the_others_do_not",
    "test_others_and_who_wants_it_fresh_buy_for_themselves",
    "test_the_leader_leaves_and_its_followers_recover",
    "test_a_follower_leaves_and_nobody_notices",
    "test_all_leave",
    "test_a_target_that_fails_fails_for_all_of_them",
    "test_a_refusal_of_the_one_text_is_everybodys",
    "test_a_refusal_of_the_leaders_other_text_is_its_own",
    "test_what_the_leader_no_longer_came_to_its_followers_buy",
    "test_nobody_foresaw_the_leaders_failure_and_its_followers_recover",
    "test_a_follower_waits_at_most_the_first_bytes_time_and_then_goes_itself",
    "test_who_waits_for_one_leader_after_another_waits_no_longer_in_all",
    "test_what_was_bought_is_shared_though_the_leader_fails_later",
    "test_a_followed_text_is_told_as_found",
    "test_a_hit_and_a_follower_keep_replies_of_their_own",
    "test_a_follower_that_leaves_may_ask_again",
    "test_the_record_waits_for_the_cost_where_others_read_on",
    "test_and_where_the_last_of_them_leaves_before_the_end",
    "test_one_that_was_cut_off_while_it_pulled_for_all",
    "test_followers_are_told_too_that_it_may_have_been_charged",
    "test_a_follower_is_asked_for_itself",
    "test_equal_requests_at_once_ask_once_and_read_along",
    "test_of_equal_questions_at_once_one_is_bought",
    "test_hits_followers_other_routes_and_anonymous_callers_get_none",
)
"""Tests of requests that read what another of their process asks; at the edge none waits for another."""
WORDS = (
    "test_a_model_that_makes_its_vectors_up_is_not_used",
    "test_a_search_goes_on_by_words_where_the_model_does_not_answer",
    "test_an_answer_has_its_sources_and_a_span_for_each_citation",
    "test_instructions_and_passages_are_kept_apart",
    "test_what_is_not_in_the_documents_no_model_is_asked",
    "test_a_threshold_of_nothing_asks_whatever_was_found",
    "test_where_only_the_sandbox_runs_the_documents_own_sentences_answer",
    "test_which_model_answers_the_question_tells_and_not_the_passages",
    "test_out_of_budget_says_so_and_costs_nothing",
    "test_what_words_found_while_the_model_was_away_is_not_kept",
)
"""Tests of a search that costs nothing, and finds nothing where no word is shared; at the edge vectors alone find."""
MEDIUM = "there the medium target answers, by its own name, and no other"
NO_TEST = dict.fromkeys(FLIGHTS, "requests wait for each other there") | {
    **dict.fromkeys(WORDS, "documents are found by vectors alone there"),
    "test_a_model_that_fails_is_told_as_such": MEDIUM,
    "test_a_purge_reaches_it": MEDIUM,
    "test_what_another_version_kept_is_not_used": "it looks into the store in memory",
    "test_a_mark_tells_nothing_of_what_was_said_or_who_said_it": "it looks into the store in memory",
    "test_a_mark_that_cannot_be_read_counts_for_nothing": "it looks into the store in memory",
    "test_what_runs_and_how_far_its_sums_are_behind": "it names the platform in memory",
    "test_each_metric_is_in_the_reference_and_none_else": "the documentation is not there",
    "test_replies_have_their_share_of_the_store_and_no_more": "the cache there has a bound of its own",
    "test_a_hundred_thousand_callers_are_held_by_bounded_counts": "counts in this process, held for 100,000 callers",
    "test_probes_bring_it_back": "a Worker probes no backends yet",
    "test_one_owners_many_documents_hold_up_nobodys_first": "a request works on its own document there, and on no other",
    "test_while_deliveries_hang_what_comes_waits_in_the_table": "what goes on behind each request is Cloudflare's to bound",
}
FILES = sorted(path.name for path in PATHS.glob("test_*.py") if path.name not in NO_FILE)


class Paths:
    """One Node process, which runs one file after another."""

    def __init__(self) -> None:
        words = (ROOT, PACKAGES, sysconfig.get_path("purelib"))
        command = [NODE, str(HERE / "paths.mjs"), *map(str, words)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        migrations = [sql for step in shipped() for sql in statements(step.sql)]
        assert self.ask({"migrations": migrations, "tables": tables(migrations)}) == "ready"

    def ask(self, what: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "Pyodide has ended; see what it wrote above."
        return json.loads(line)

    def end(self) -> None:
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


LASTING = ("latency_bounds",)
"""What a migration fills, and nothing changes."""


def tables(migrations: list[str]) -> list[str]:
    with sqlite3.connect(":memory:") as database:
        for sql in migrations:
            database.execute(sql)
        named = "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'"
        return [name for (name,) in database.execute(named) if name not in LASTING]


@pytest.fixture(scope="module")
def paths() -> Iterator[Paths]:
    process = Paths()
    yield process
    process.end()


@pytest.mark.parametrize("file", FILES)
def test_the_path_tests_hold_on_a_workers_bindings(paths: Paths, file: str) -> None:
    found = paths.ask({"file": f"tests/path/{file}", "unfit": NO_TEST})
    failed = [f"{one['name']}\n{one['why']}" for one in found if one["outcome"] == "failed"]
    assert not failed, "\n\n".join([f"{len(failed)} of {len(found)} failed there", *failed])
    assert any(one["outcome"] == "passed" for one in found)


def test_what_cannot_run_there_is_still_a_test() -> None:
    assert set(NO_FILE) <= {path.name for path in PATHS.glob("test_*.py")}
    source = "".join(path.read_text(encoding="utf-8") for path in PATHS.glob("test_*.py"))
    assert [name for name in NO_TEST if f"def {name}(" not in source] == []
