"""How wrangler is run, and what is made of its failures."""

from __future__ import annotations

import sys

import pytest

from penstock.entry.cloudflare.wrangler import Ran, Undeployed, Wrangler, environment, spoken

ERROR = "\x1b[31m✘ \x1b[41;31m[\x1b[41;97mERROR\x1b[41;31m]\x1b[0m \x1b[1m{}\x1b[0m\n\n\n\x1b[32mIf you think this is a bug\x1b[0m\n🪵  Logs were written to x\n"


def ran(code: int = 1, out: str = "", said: str = "", events=()) -> Ran:
    return Ran("wrangler d1 list", code, out, said, [*events])


def test_failures_are_told_in_its_words():
    failed = ran(said=ERROR.format("No such thing."))
    assert failed.failure == "No such thing."
    told = ran(events=[{"type": "command-failed", "message": "a\n b", "code": 10006}])
    assert told.failure == "a b [code: 10006]"
    assert ran().failure == "it says nothing"


@pytest.mark.parametrize(
    ("message", "mend"),
    [
        ("Authentication error [code: 10000]", "wrangler login"),
        ("it's necessary to set a CLOUDFLARE_API_TOKEN environment variable", "wrangler login"),
        ("More than one account available", "CLOUDFLARE_ACCOUNT_ID"),
        ("Please enable R2 through the Cloudflare Dashboard. [code: 10042]", "enable R2"),
        ("getaddrinfo ENOTFOUND api.cloudflare.com", "network"),
        ("something else", "mend it, then repeat"),
    ],
)
def test_a_failure_says_what_to_do(message, mend):
    with pytest.raises(Undeployed) as failed:
        ran(said=ERROR.format(message)).good()
    assert mend in failed.value.message
    assert "`wrangler d1 list` failed" in failed.value.message


def test_json_is_read_behind_what_stands_before_it():
    assert ran(0, "Getting …\n[1, 2]").json() == [1, 2]
    with pytest.raises(Undeployed, match="did not answer with JSON"):
        ran(0, "a table").json()


def test_a_secret_is_in_nothing_that_it_printed(tmp_path):
    script = "import sys, os; t = sys.stdin.read(); print(t); print(t, file=sys.stderr); open(os.environ['WRANGLER_OUTPUT_FILE_PATH'], 'w').write('{\"message\": \"' + t + '\"}\\nno json')"
    done = Wrangler(sys.executable, tmp_path, ["s3cret"]).run("-c", script, stdin="the s3cret")
    assert (done.code, done.out) == (0, "the ***\n")
    assert "s3cret" not in repr(done)
    assert done.events == [{"message": "the ***"}]


def test_the_environment_asks_nothing_and_takes_no_other_section():
    made = environment({"CLOUDFLARE_ENV": "x", "A": "b"})
    assert "CLOUDFLARE_ENV" not in made
    assert (made["A"], made["CI"], made["NO_COLOR"]) == ("b", "1", "1")


def test_words_with_spaces_are_quoted_for_people():
    assert spoken(["d1", "select 1"]) == 'wrangler d1 "select 1"'
