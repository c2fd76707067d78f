"""Forms: whatever is sent in one comes out as it was; what is not one raises nothing but a refusal."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import BadRequest
from penstock.wire.multipart import is_form, parts
from tests.path.documents import formed

BOUNDARIES = st.text("abcXYZ0189'()+_,-./:=?", min_size=1, max_size=70)
NAMES = st.text("abcdefgh_[] äß漢", min_size=1, max_size=20)


@given(
    BOUNDARIES,
    st.lists(st.tuples(NAMES, st.none() | NAMES, st.binary(max_size=200)), max_size=16, unique_by=lambda one: one[0]),
)  # fmt: skip
def test_what_goes_in_comes_out(boundary: str, files: list[tuple[str, str | None, bytes]]) -> None:
    kind, body = formed(files, boundary)
    if not files or any(f"\r\n--{boundary}".encode() in b"\r\n" + data for _, _, data in files):
        return
    found = parts(body, kind.replace("boundary=", 'boundary="') + '"')
    assert [(one.name, one.filename, one.data) for one in found] == files


@given(st.binary(max_size=300), st.text(max_size=100))
def test_anything_else_is_refused_and_no_more(body: bytes, kind: str) -> None:
    for one in (kind, f"multipart/form-data; boundary={kind}", "multipart/form-data; boundary=x"):
        with suppress(BadRequest):
            parts(b"--x\r\n" + body, one)


def test_what_says_that_it_is_a_form() -> None:
    assert is_form("Multipart/Form-Data; boundary=x")
    assert not is_form("application/json")
    assert not is_form("multipart/mixed; boundary=x")
