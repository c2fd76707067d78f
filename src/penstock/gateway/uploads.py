"""What an upload brings: one file of a form, or a text in JSON, checked against what its caller's tier takes."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from penstock.config import Tier
from penstock.config.check import FORM_BYTES
from penstock.errors import BadRequest, TooLarge
from penstock.gateway.exchange import Exchange
from penstock.rag.sniff import SUFFIXES, TEXTS
from penstock.wire import multipart
from penstock.wire.json import decode_object

LONGEST_NAME = 255
UNNAMED = "untitled"
JSON_FACTOR = 6
"""Bytes that one byte of text can be in JSON."""
MISSING = "Missing file or text"
_TRUTH = {"true": True, "false": False}


class Upload(Struct, frozen=True):
    """A document as it came; `declared` is its content type as its sender says."""

    data: bytes
    filename: str
    declared: str
    shared: bool = False


async def read(exchange: Exchange, tier: Tier) -> Upload:
    """The upload in a request's body; raises BadRequest, TooLarge, UnsupportedEncoding."""
    kind = exchange.request.header("content-type") or ""
    form = multipart.is_form(kind)
    bound = max(1, min(tier.document_bytes, exchange.limit - FORM_BYTES))
    exchange.limit = min(exchange.limit, bound * (1 if form else JSON_FACTOR) + FORM_BYTES)
    try:
        body = await exchange.read()
    except TooLarge as error:
        raise too_large(bound) from error
    found = _form(body, kind) if form else _json(body)
    if len(found.data) > bound:
        raise too_large(bound)
    return found


def too_large(bound: int) -> TooLarge:
    """What a tier's size refuses, or the gateway's for all requests where that is less."""
    return TooLarge(
        f"The document is over {_size(bound)}, the most that your tier takes: send it in parts, or its text"
        " alone.",
        code="document_too_large",
    )


def _size(number: int) -> str:
    return f"{number >> 20} MB" if not number % (1 << 20) else f"{max(1, number >> 10)} KB"


def _form(body: bytes, kind: str) -> Upload:
    fields = {part.name: part for part in multipart.parts(body, kind)}
    for name in fields:
        if name not in ("file", "filename", "shared"):
            raise BadRequest(
                "A form has the fields file, filename and shared alone.",
                code="invalid_field", param=name[:50],
            )  # fmt: skip
    file = fields.get("file")
    if file is None:
        raise BadRequest("Send the file as the form's field 'file'.", text=MISSING, param="file")
    named, shared = fields.get("filename"), fields.get("shared")
    given = file.filename if named is None else _text(named)
    truth = _TRUTH.get("false" if shared is None else _text(shared))
    if truth is None:
        raise _invalid("shared", "must be true or false")
    return Upload(file.data, called(given or ""), file.declared[:LONGEST_NAME], truth)


def _text(part: multipart.Part) -> str:
    try:
        return part.data.decode()
    except UnicodeDecodeError as error:
        raise _invalid(part.name, "is not UTF-8") from error


def _json(body: bytes) -> Upload:
    value, _ = decode_object(body)
    text, shared = value.get("text"), value.get("shared", False)
    if not isinstance(text, str) or not text:
        raise BadRequest(
            "Send a form with a file, or JSON with 'text' and 'filename'.",
            text=MISSING,
            param="text",
        )
    if not isinstance(shared, bool):
        raise _invalid("shared", "must be true or false")
    name = _name(value)
    # It is a text already, whatever file it was taken from: its name says only how it is written.
    suffix = SUFFIXES.get(name.rpartition(".")[2].lower())
    declared = {"markdown": "text/markdown", "csv": "text/csv", "html": "text/html"}
    return Upload(text.encode(), name, declared.get(suffix or "", PLAIN), shared)


def _name(value: dict[str, Any]) -> str:
    name = value.get("filename", "")
    if not isinstance(name, str):
        raise _invalid("filename", "must be a string")
    return called(name)


PLAIN = "text/plain; charset=utf-8"


def called(name: str) -> str:
    """A file's name without folders and what cannot be shown, cut to what is kept with its ending."""
    last = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(char for char in last if char.isprintable()).strip()
    if len(shown) > LONGEST_NAME:
        stem, dot, suffix = shown.rpartition(".")
        keep = f".{suffix}" if dot and len(suffix) <= 16 else ""
        shown = (stem if keep else shown)[: LONGEST_NAME - len(keep)] + keep
    return shown or UNNAMED


def told_name(upload_name: str, declared: str) -> str:
    """The name that says what a document is; of a text that came as such it says nothing where it is another kind's."""
    suffix = SUFFIXES.get(upload_name.rpartition(".")[2].lower())
    return "" if declared == PLAIN and suffix not in TEXTS else upload_name


def _invalid(name: str, why: str) -> BadRequest:
    return BadRequest(f"'{name}' {why}.", code="invalid_field", param=name)
