"""From the bytes of a text to its characters: UTF-8, or what the file itself says it is; nothing is guessed."""

from __future__ import annotations

import codecs
import re

from penstock.rag.reasons import unreadable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LATIN = ("iso-8859-1", "latin1", "latin-1", "l1", "us-ascii", "ascii", "cp1252", "windows-1252")
ENCODINGS: dict[str, str] = {
    **dict.fromkeys(_LATIN, "cp1252"),
    **{f"iso-8859-{number}": f"iso8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10)},
    **{f"iso-8859-{number}": f"iso8859-{number}" for number in (13, 14, 15, 16)},
    **{f"windows-{number}": f"cp{number}" for number in (1250, 1251, *range(1253, 1259))},
    "iso-8859-9": "cp1254",
    "windows-874": "cp874",
    "tis-620": "cp874",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "macintosh": "mac-roman",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "euc-jp": "euc-jp",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "ks_c_5601-1987": "cp949",
}
"""What files call their encoding (as browsers read it), and the codec; none hides ASCII, as UTF-7 does.

UTF-8 is tried without being named, and UTF-16 shows itself.
"""

HEAD_BYTES = 4_096
_META = re.compile(rb"<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([\w.:-]{1,40})", re.I)
_XML = re.compile(rb"<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}[\"']([\w.:-]{1,40})", re.I)
_PARAMETER = re.compile(r"charset\s*=\s*\"?([\w.:-]{1,40})", re.I)
_WIDE_SHARE = 0.3
"""A text in UTF-16 without a mark: more than so many of its bytes at one parity are 0, and none at the other."""


def named(data: bytes, declared: str = "") -> str:
    """The codec that the file's first bytes or its declared type name; empty where neither does."""
    head = data[:HEAD_BYTES]
    for mark, codec in _MARKS:
        if head.startswith(mark):
            return codec
    said = _PARAMETER.search(declared)
    told = _META.search(head) or _XML.match(head)
    name = said[1] if said else told[1].decode("ascii", "replace") if told else ""
    return _wide(head) or ENCODINGS.get(name.lower(), "")


def decode(data: bytes, codec: str) -> str:
    """Its characters: as UTF-8 where the bytes are that, whatever it was called, else by this codec; or Unreadable."""
    for name in (codec, "utf-8") if codec.startswith("utf-") else ("utf-8", codec):
        try:
            return data.decode(name) if name else _refuse()
        except UnicodeDecodeError:
            continue
    return _refuse()


def _refuse() -> str:
    raise unreadable("document_not_utf8")


def _wide(head: bytes) -> str:
    even, odd = head[::2], head[1::2]
    least = len(head) // 2 * _WIDE_SHARE
    if odd.count(0) > least and not even.count(0):
        return "utf-16-le"
    if even.count(0) > least and not odd.count(0):
        return "utf-16-be"
    return ""
