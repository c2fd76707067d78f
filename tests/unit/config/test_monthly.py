"""`[monthly_report]`: what fits, and what is refused with the mend."""

from __future__ import annotations

import pytest

from penstock.config import decode
from penstock.errors import Misconfigured
from tests.path.test_monthly_mailed import MAILED

WORKER = 'platform = "cloudflare"\n'


def test_it_is_off_unless_asked_for() -> None:
    assert not decode("", {}).monthly_report.enabled
    assert decode(MAILED, {}).monthly_report.to == ("ops@example.com", "boss@example.com")
    assert decode(WORKER + "[monthly_report]\nenabled = true\n", {}).monthly_report.enabled


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[monthly_report]\nenabled = true\nto = ["a@b.test"]', "there is no mail server"),
        (MAILED.replace("enabled = true", "enabled = false"), "nothing is sent"),
        (WORKER + MAILED, "Workers send no mail"),
        (MAILED.replace("ops@example.com", "ops"), "monthly_report.to[0] is no address"),
        (MAILED.replace("ops@example.com", "a@b.test\\r\\nBcc: x@y.test"), "is no address"),
        (MAILED + "day = 29", "monthly_report.day must be"),
        (MAILED + 'format = "docx"', "monthly_report.format must be"),
        (MAILED + 'tenant = "a\\u0000b"', "monthly_report.tenant has a NUL"),
        (MAILED + f'tenant = "{"x" * 201}"', "monthly_report.tenant is longer"),
        (MAILED.replace('["ops@example.com", "boss@example.com"]', str(["a@b.test"] * 51).replace("'", '"')), "more than 50"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(text: str, said: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        decode(text, {})
    assert said in refused.value.message
