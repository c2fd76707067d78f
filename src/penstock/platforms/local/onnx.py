"""The few ONNX messages a BERT graph needs, written by hand: the `onnx` package weighs 20 MB.

Field numbers are those of onnx.proto; all lengths are in bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

FLOAT: Final = 1
INT32: Final = 6

Attribute = int | float
Shape = Sequence[int | str]
"""A dimension is a number, or a name where it may vary."""

OPSET = 17
CONTRIB = "com.microsoft"
IR_VERSION = 8
_EXTERNAL = 1


def node(
    kind: str,
    inputs: Iterable[str],
    outputs: Iterable[str],
    domain: str = "",
    **attributes: Attribute,
) -> bytes:
    """One operation (NodeProto)."""
    return b"".join(
        (
            *(_text(1, name) for name in inputs),
            *(_text(2, name) for name in outputs),
            _text(4, kind),
            *(_bytes(5, _attribute(name, value)) for name, value in attributes.items()),
            _text(7, domain),
        )
    )


def value(name: str, kind: int, shape: Shape) -> bytes:
    """An input or output of the graph (ValueInfoProto)."""
    dims = b"".join(
        _bytes(1, _text(2, dim) if isinstance(dim, str) else _int(1, dim)) for dim in shape
    )
    return _text(1, name) + _bytes(2, _bytes(1, _int(1, kind) + _bytes(2, dims)))


def weight(name: str, shape: Sequence[int]) -> bytes:
    """A float32 initializer whose numbers are handed to the session beside the model (TensorProto)."""
    place = _text(1, "location") + _text(2, "memory")
    dims = b"".join(_int(1, dim) for dim in shape)
    return dims + _int(2, FLOAT) + _text(8, name) + _bytes(13, place) + _int(14, _EXTERNAL)


def model(
    nodes: Iterable[bytes], weights: Iterable[bytes], inputs: Iterable[bytes], output: bytes
) -> bytes:
    """The whole model (ModelProto)."""
    graph = b"".join(
        (
            *(_bytes(1, each) for each in nodes),
            _text(2, "bert"),
            *(_bytes(5, each) for each in weights),
            *(_bytes(11, each) for each in inputs),
            _bytes(12, output),
        )
    )
    opsets = _bytes(8, _int(2, OPSET)) + _bytes(8, _text(1, CONTRIB) + _int(2, 1))
    return _int(1, IR_VERSION) + opsets + _bytes(7, graph)


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, float):
        return _text(1, name) + _tag(2, 5) + struct.pack("<f", value) + _int(20, 1)
    return _text(1, name) + _int(3, value) + _int(20, 2)


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())


def _bytes(field: int, data: bytes) -> bytes:
    return _tag(field, 2) + _varint(len(data)) + data


def _int(field: int, number: int) -> bytes:
    return _tag(field, 0) + _varint(number)


def _tag(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
