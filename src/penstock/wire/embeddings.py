"""Embeddings in the gateway's own words: an ask, packed vectors, and the replies of both faces.

A vector is a list of floats, or `bytes` of packed little-endian float32: how caches hold it and
what base64 carries.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct, structs

from penstock.errors import BadRequest
from penstock.wire.chat import Name, invalid_field, refuse_forbidden
from penstock.wire.json import canonical, decode_object, encode, usd

Vector = Sequence[float] | bytes

DEFAULT_MODEL = "embed"
MAX_DIMENSIONS = 65_536
TEXT_OVERHEAD = 16
"""Tokens a model may add to one text, for the bound."""

MISSING_TEXT = "Missing text or texts"
NOT_CONTENT = frozenset({"input", "model", "encoding_format"})
"""Which text, where it goes, how the reply is written; all other fields may change a vector."""


class EmbeddingsBody(Struct):
    """What is checked of `/v1/embeddings`; `input` by hand, for the sake of its messages."""

    model: Name
    input: Any
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=MAX_DIMENSIONS)] | None = None
    user: str | None = None


KNOWN = frozenset(EmbeddingsBody.__struct_fields__)


class EmbedAsk(Struct):
    """One decoded embeddings request.

    `texts` is never empty and holds no empty text; `single` is set where the caller sent one text
    bare. `fields` is all of the body that can change a vector beside text and model, known to the
    gateway or not, and `settings` its sorted JSON.
    """

    model: str
    texts: list[str]
    fields: dict[str, Any]
    settings: bytes
    single: bool = False
    base64: bool = False

    def bound(self, texts: list[str]) -> int:
        """The most input tokens that some of its texts can be, were all the fields told with each."""
        return bound(texts) + len(self.settings) * len(texts) * bool(self.fields)

    def requests(self) -> list[bytes]:
        """Per text, what its cache key is made of; the key must add the target and the partition.

        The settings are JSON, which ends where its brace closes: no two pairs of settings and text
        run together alike.
        """
        return [self.settings + text.encode() for text in self.texts]


def decode_embeddings(body: bytes, max_batch: int) -> EmbedAsk:
    """An ask from the body of `/v1/embeddings`; raises BadRequest naming the field."""
    value, _ = decode_object(body)
    refuse_forbidden(value)
    try:
        read = msgspec.convert(value, EmbeddingsBody)
    except (msgspec.ValidationError, OverflowError) as error:
        raise invalid_field(error) from error
    fields = _fields(value)
    return EmbedAsk(
        model=read.model,
        texts=_texts(read.input, "input", max_batch),
        fields=fields,
        settings=canonical(fields),
        single=isinstance(read.input, str),
        base64=read.encoding_format == "base64",
    )


def decode_product(body: bytes, max_batch: int) -> EmbedAsk:
    """An ask from the body of `/api/ai/embeddings`, `{text}` or `{texts}`; others are ignored."""
    value, _ = decode_object(body)
    refuse_forbidden(value)
    text, texts = value.get("text"), value.get("texts")
    if text in (None, "") and texts in (None, []):
        raise BadRequest("Send 'text' or 'texts'.", text=MISSING_TEXT)
    if text is not None and texts is not None:
        raise BadRequest("Send 'text' or 'texts', not both.", code="invalid_field", param="text")
    single = text is not None
    if single and not isinstance(text, str):
        raise _invalid("text", "must be a string")
    if not single and not isinstance(texts, list):
        raise _invalid("texts", "must be a list of strings")
    found = _texts(text, "text", max_batch) if single else _texts(texts, "texts", max_batch)
    return EmbedAsk(
        model=DEFAULT_MODEL,
        texts=found,
        fields={},
        settings=canonical({}),
        single=single,
    )


def _texts(value: Any, name: str, max_batch: int) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list):
        raise _invalid(name, "must be a string or a list of strings")
    if not texts:
        raise _invalid(name, "must not be empty")
    if len(texts) > max_batch:
        raise BadRequest(
            f"'{name}' has {len(texts)} texts; one request may have {max_batch}.",
            code="too_many_inputs",
            param=name,
        )
    for i, text in enumerate(texts):
        if type(text) is not str or not text:
            raise _refusal(name if isinstance(value, str) else f"{name}[{i}]", name, text)
    return texts


def _refusal(where: str, name: str, text: Any) -> BadRequest:
    if text == "":
        return _invalid(where, "must not be empty")
    if type(text) is int or isinstance(text, list):
        return BadRequest(
            f"'{name}' holds token numbers; send text, since targets differ in their tokenizers.",
            code="token_input_unsupported",
            param=name,
        )
    return _invalid(where, "must be a string")


def _fields(value: dict[str, Any]) -> dict[str, Any]:
    """What else stands in a body; what null means is known of known fields only."""
    return {
        k: v for k, v in value.items() if k not in NOT_CONTENT and (v is not None or k not in KNOWN)
    }


def bound(texts: list[str]) -> int:
    """The most input tokens that texts can be."""
    return sum(len(text) if text.isascii() else len(text.encode()) for text in texts) + (
        TEXT_OVERHEAD * len(texts)
    )


def _invalid(field: str, why: str) -> BadRequest:
    return BadRequest(f"'{field}' {why}.", code="invalid_field", param=field)


def pack(vector: Vector) -> bytes:
    """A vector as little-endian float32 bytes; OverflowError for a number float32 cannot hold."""
    return vector if isinstance(vector, bytes) else struct.pack(f"<{len(vector)}f", *vector)


def unpack(packed: bytes) -> list[float]:
    """A vector from its packed bytes; ValueError where their number is no multiple of four."""
    vector = array("f")
    vector.frombytes(packed)
    if sys.byteorder == "big":
        vector.byteswap()
    return vector.tolist()


def split(total: int, texts: Sequence[str]) -> list[int]:
    """`total` shared out by the texts' UTF-8 lengths; the shares add up to it exactly.

    For tokens and prices, which providers report for a whole batch.
    """
    weights = [len(text.encode()) + 1 for text in texts]
    whole = sum(weights)
    shares, seen, given = [], 0, 0
    for weight in weights:
        seen += weight
        upto = total * seen // whole
        shares.append(upto - given)
        given = upto
    return shares


class _Item(Struct, frozen=True):
    index: int
    embedding: list[float] | bytes  # msgspec writes bytes as base64
    object: str = "embedding"


class _Usage(Struct, frozen=True):
    prompt_tokens: int
    total_tokens: int


class _List(Struct, frozen=True):
    data: list[_Item]
    model: str
    usage: _Usage
    object: str = "list"


def openai_reply(model: str, vectors: Sequence[Vector], tokens: int, base64: bool) -> bytes:
    """The body of OpenAI's reply, in the order of `vectors`."""
    form = pack if base64 else _floats
    items = [_Item(i, form(vector)) for i, vector in enumerate(vectors)]
    return encode(_List(items, model, _Usage(tokens, tokens)))


class Embedded(Struct, frozen=True):
    """One text's vector and what it took; `cost_nanos` (10⁻⁹ US dollars) is 0 on a cache hit."""

    vector: list[float] | bytes
    tokens: int
    cost_nanos: int = 0
    cached: bool = False


def at_each(item: Embedded, places: int) -> list[Embedded]:
    """One text's item for each of its places: what was paid for once is shared out among them."""
    if item.cached or places == 1:
        return [item] * places
    same = [""] * places
    shares = zip(split(item.tokens, same), split(item.cost_nanos, same), strict=True)
    return [structs.replace(item, tokens=tokens, cost_nanos=cost) for tokens, cost in shares]


class _ProductItem(Struct, frozen=True, omit_defaults=True):
    embedding: list[float]
    tokens: int
    cost: Raw
    provider: str
    model: str
    cached: bool = False


class _ProductBatch(Struct, frozen=True, rename="camel"):
    embeddings: list[_ProductItem]
    total_tokens: int
    total_cost: Raw
    provider: str
    cached: int


def product_reply(single: bool, items: Sequence[Embedded], provider: str, model: str) -> bytes:
    """The product face's reply: the single form for one bare text, else the batch, in order."""
    written = [_product_item(item, provider, short_model(model)) for item in items]
    if single:
        return encode(written[0])
    return encode(
        _ProductBatch(
            embeddings=written,
            total_tokens=sum(item.tokens for item in items),
            total_cost=dollars(sum(item.cost_nanos for item in items)),
            provider=provider,
            cached=sum(item.cached for item in items),
        )
    )


def _product_item(item: Embedded, provider: str, model: str) -> _ProductItem:
    cost = dollars(item.cost_nanos)
    return _ProductItem(_floats(item.vector), item.tokens, cost, provider, model, item.cached)


def dollars(nanos: int) -> Raw:
    """A price as the product face shows it: US dollars, a number of at most nine decimals and no exponent."""
    return Raw(usd(nanos).encode())


def short_model(model: str) -> str:
    """A model's name without Cloudflare's `@cf/…/`."""
    return model.rsplit("/", 1)[-1] if model.startswith("@cf/") else model


def _floats(vector: Vector) -> list[float]:
    return unpack(vector) if isinstance(vector, bytes) else list(vector)
