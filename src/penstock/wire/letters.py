"""A letter to an operator, as a value: who sends it is a port."""

from __future__ import annotations

from msgspec import Struct

MOST_LETTER_BYTES = 10 << 20
"""Of a letter with all that goes with it."""
MOST_RECIPIENTS = 50


class Attached(Struct, frozen=True):
    """A file that goes with a letter; `kind` is its content type, `image/png`."""

    name: str
    kind: str
    data: bytes


class Letter(Struct, frozen=True):
    """What is sent. Who gets it again knows it by `id`, which is its Message-ID: letters, digits, dots and dashes.

    `html` says the same as `text` where it is there. What has no place in a header (a line's end, a control character) is a
    space in one.
    """

    id: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str = ""
    attached: tuple[Attached, ...] = ()
