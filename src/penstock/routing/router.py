"""A learned router's file: small whole numbers a feature weighs, what was seen of them on labels, and where they come from."""

from __future__ import annotations

from array import array
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from hashlib import sha256
from math import isfinite, sqrt

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from penstock.errors import Misconfigured
from penstock.routing import features

VERSION = 1
MOST_BYTES = 64 << 10
LARGEST = 127
POINTS = 101
"""Shares of strong calls that were tried: 0 %, 1 % … 100 %."""


class InvalidRouter(Misconfigured):
    """A router's file is damaged, or was made for another version: fit it again."""

    code = "invalid_router"


class Calibration(Struct, frozen=True, forbid_unknown_fields=True):
    """By the share of strong calls, on rows that the scores were not learned from: the score that is sent from there on, the quality
    as a part of the strong target's, and the least it is with 95 % certainty."""

    thresholds: list[float]
    quality: list[float]
    least: list[float]


class Router(Struct, frozen=True, forbid_unknown_fields=True):
    """Weights with their provenance. `apgr` is value and 95 % interval by cross-validation, and `trust` says what that means."""

    version: int
    features: int
    source: str
    created: str
    rows: int
    data: str
    """SHA-256 of the labels."""
    penalty: float
    base: float
    """The mean gain."""
    scales: tuple[float, float]
    """Of a step of structure's weights, and of words'."""
    weights: str
    calibration: Calibration
    apgr: tuple[float, float, float]
    trust: str = ""
    sha256: str = ""

    @property
    def name(self) -> str:
        """Which router it is, in decision records."""
        return self.sha256[:12]


class Scorer:
    """Predicts the gain of an ask: sums of whole numbers, so that every platform comes to the same."""

    def __init__(self, router: Router) -> None:
        self._base = router.base
        self._structure, self._words = router.scales
        self._weight = array("b", b64decode(router.weights)).__getitem__

    def __call__(self, slots: Sequence[int]) -> float:
        """Strong minus weak, as expected."""
        words = [slot for slot in slots if slot >= features.STRUCTURE]
        shape = slots[: len(slots) - len(words)]
        steps = (
            sum(map(self._weight, shape)) * self._structure
            + sum(map(self._weight, words)) * self._words
        )
        return self._base + steps / sqrt(sqrt(len(slots) or 1))


def quantised(weights: Sequence[float]) -> tuple[str, tuple[float, float]]:
    """Weights as text, and how much a step is."""
    found, scales = array("b"), []
    for part in (weights[: features.STRUCTURE], weights[features.STRUCTURE :]):
        step = max(map(abs, part), default=0.0) / LARGEST or 1.0
        found.extend(round(weight / step) for weight in part)
        scales.append(step)
    return b64encode(found.tobytes()).decode(), (scales[0], scales[1])


def sealed(router: Router) -> Router:
    """The same with its checksum."""
    return replace(router, sha256=_checksum(router))


def encode(router: Router) -> bytes:
    """The file."""
    return msgspec.json.format(msgspec.json.encode(router), indent=1) + b"\n"


def decode(data: bytes | str, source: str) -> Router:
    """The router in a file; raises InvalidRouter, which names `source` and never what stands in it."""
    if len(data) > MOST_BYTES:
        raise _invalid(
            source, f"is larger than {MOST_BYTES >> 10} KB: it is no router's file; make one"
        )
    try:
        head = msgspec.json.decode(data, type=_Head)
        if (head.version, head.features) != (VERSION, features.VERSION):
            raise _invalid(source, "was made for another version of Penstock; fit it again")
        router = msgspec.json.decode(data, type=Router)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(source, "is no router's file, or damaged; make one") from error
    if router.sha256 != _checksum(router) or not _sound(router):
        raise _invalid(source, "is damaged: its checksum does not fit; fit it again")
    return router


def threshold(router: Router, quality: float | None, strong_share: float | None) -> float:
    """The score from which asks go to the strong target: for a share of calls, else for a quality beside the strong one's.

    For a quality, the smallest share from which on the least that was seen is enough: more strong calls never come short of it.
    """
    points = router.calibration.thresholds
    if strong_share is not None:
        return points[round(strong_share * (POINTS - 1))]
    at = POINTS - 1
    while at and router.calibration.least[at - 1] >= (quality or 0.0):
        at -= 1
    return points[at]


class _Head(Struct):
    version: int = 0
    features: int = 0


def _checksum(router: Router) -> str:
    plain = msgspec.json.encode(replace(router, sha256=""))
    return sha256(plain).hexdigest()


def _sound(router: Router) -> bool:
    table = router.calibration
    columns = (table.thresholds, table.quality, table.least)
    try:
        whole = len(b64decode(router.weights, validate=True)) == features.SIZE
    except (NotBase64, ValueError):
        return False
    numbers = (*router.scales, router.base, *(one for column in columns for one in column))
    return whole and all(len(one) == POINTS for one in columns) and all(map(isfinite, numbers))


def _invalid(source: str, why: str) -> InvalidRouter:
    return InvalidRouter(f"{source} {why} by `penstock router fit`")
