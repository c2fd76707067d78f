"""A sentence-embedding model from a directory: its tokenizer, its encoder, how it pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped] # ships no types
from numpy.typing import NDArray
from tokenizers import Tokenizer

from penstock.errors import Misconfigured
from penstock.platforms.local import bert

Pooling = Literal["mean", "cls"]

ONNX_FILES = ("model.onnx", "onnx/model.onnx")
WEIGHTS_FILE = "model.safetensors"
TOKENIZER_FILE = "tokenizer.json"
DEFAULT_LENGTH = 512
CHARACTERS_PER_TOKEN = 100
"""Of a text longer than this times the model's tokens only the start is read: what follows would be cut anyway."""

_MODES: Mapping[str, Pooling] = {
    "mean": "mean",
    "cls": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
}
_HIDDEN, _POOLED = 3, 2


@dataclass(frozen=True, slots=True)
class Model:
    """One loaded model. `length` is the most tokens it reads, special ones included; its methods block."""

    name: str
    dimension: int
    length: int
    pooling: Pooling
    pad: int
    tokenizer: Tokenizer
    session: ort.InferenceSession

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Each text's token numbers, special ones included, cut at the model's length."""
        most = self.length * CHARACTERS_PER_TOKEN
        cut = [text if len(text) <= most else text[:most] for text in texts]
        return [encoding.ids or [self.pad] for encoding in self.tokenizer.encode_batch_fast(cut)]

    def forward(self, batch: Sequence[Sequence[int]]) -> list[list[float]]:
        """Unit vectors, in order."""
        ids = np.full((len(batch), max(map(len, batch))), self.pad, np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        feeds = {
            "input_ids": ids,
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(ids),
        }
        output = self.session.get_outputs()[0].name
        wanted = {
            put.name: feeds[put.name].astype(np.int32 if put.type == "tensor(int32)" else np.int64)
            for put in self.session.get_inputs()
        }
        hidden = self.session.run([output], wanted)[0]
        vectors: list[list[float]] = _unit(_pooled(hidden, mask, self.pooling)).tolist()
        return vectors


def load(place: Path, name: str, threads: int) -> Model:
    """The model in a directory; raises Misconfigured with what it lacks."""
    if not place.is_dir():
        raise Misconfigured(f"{place} is no directory; name the directory of the model")
    config = _json(place / "config.json")
    length = _length(place, config)
    model = Model(
        name=name,
        dimension=0,
        length=length,
        pooling=_pooling(place, f"{name} {config.get('_name_or_path', '')}"),
        pad=int(config.get("pad_token_id") or 0),
        tokenizer=_tokenizer(place, length),
        session=_checked(_session(place, config, threads)),
    )
    return replace(model, dimension=_dimension(model))


def _pooled(
    hidden: NDArray[np.float32], mask: NDArray[np.int64], pooling: Pooling
) -> NDArray[np.float32]:
    if hidden.ndim == _POOLED:  # its graph has pooled already
        return hidden
    if pooling == "cls":
        return hidden[:, 0]
    shares = mask.astype(np.float32)
    shares /= shares.sum(axis=1, keepdims=True)
    pooled: NDArray[np.float32] = (shares[:, None, :] @ hidden)[:, 0]
    return pooled


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(lengths, np.float32(1e-12))
    return unit


def _session(place: Path, config: Mapping[str, Any], threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors: warnings would go to standard error around our log
    # Threads that spin while they wait take the core from the event loop.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    open_session = partial(
        ort.InferenceSession, sess_options=options, providers=["CPUExecutionProvider"]
    )
    found = next((place / name for name in ONNX_FILES if (place / name).is_file()), None)
    if found is None:
        return _built(place, config, options, open_session)
    try:
        return open_session(str(found))
    except Exception as error:  # ONNX Runtime has no common error of its own
        raise Misconfigured(f"{found} does not load in ONNX Runtime; fetch it anew") from error


def _built(
    place: Path, config: Mapping[str, Any], options: ort.SessionOptions, open_session: Any
) -> ort.InferenceSession:
    if not (place / WEIGHTS_FILE).is_file():
        raise Misconfigured(f"{place} lacks a model: put {ONNX_FILES[0]} or {WEIGHTS_FILE} there")
    if not config:
        raise Misconfigured(f"{place} lacks config.json, which {WEIGHTS_FILE} needs")
    model, weights = bert.build(config, bert.read(place / WEIGHTS_FILE))
    values = [ort.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
    options.add_external_initializers(list(weights), values)
    session: ort.InferenceSession = open_session(model)
    return session


def _checked(session: ort.InferenceSession) -> ort.InferenceSession:
    strange = {put.name for put in session.get_inputs()} - set(bert.INPUTS)
    if strange:
        raise Misconfigured(f"the model asks for {', '.join(sorted(strange))}, which no text gives")
    if len(session.get_outputs()[0].shape) not in (_POOLED, _HIDDEN):
        raise Misconfigured("the model's first output is no table of vectors; take another export")
    return session


def _dimension(model: Model) -> int:
    """By running it once, which also shows that its parts fit together."""
    try:
        return len(model.forward(model.tokenise(["a"]))[0])
    except Exception as error:  # ONNX Runtime has no common error of its own
        raise Misconfigured(f"{model.name} does not run; fetch its files anew") from error


def _tokenizer(place: Path, length: int) -> Tokenizer:
    path = place / TOKENIZER_FILE
    if not path.is_file():
        raise Misconfigured(f"{place} lacks {TOKENIZER_FILE}; fetch it with the model")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing narrower
        raise Misconfigured(f"{path} is no readable tokenizer; fetch it anew") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(length)
    return tokenizer


def _length(place: Path, config: Mapping[str, Any]) -> int:
    """What sentence-transformers was told, else the tokenizer, never past the encoder's positions."""
    told = _json(place / "sentence_bert_config.json").get("max_seq_length")
    told = told or _json(place / "tokenizer_config.json").get("model_max_length") or DEFAULT_LENGTH
    return int(min(told, config.get("max_position_embeddings") or DEFAULT_LENGTH))


def _pooling(place: Path, names: str) -> Pooling:
    """As the model's modules say; where they say nothing, by its family."""
    modules = _json(place / "modules.json", [])
    parts = {str(part["type"]).rpartition(".")[2]: part["path"] for part in modules}
    strange = parts.keys() - {"Transformer", "Pooling", "Normalize"}
    if strange:
        raise Misconfigured(f"{place} has a layer {min(strange)}, which is not run here")
    settings = _json(place / parts.get("Pooling", "1_Pooling") / "config.json")
    if not settings:
        return "cls" if "bge" in names.lower() else "mean"
    modes = [key for key, on in settings.items() if key.startswith("pooling_mode_") and on is True]
    if named := settings.get("pooling_mode"):
        modes = [named] if isinstance(named, str) else list(named)
    if len(modes) != 1 or modes[0] not in _MODES:
        raise Misconfigured(f"{place} pools by {', '.join(modes)}; mean or cls is run here")
    return _MODES[modes[0]]


def _json(path: Path, absent: Any = None) -> Any:
    if not path.is_file():
        return {} if absent is None else absent
    try:
        return msgspec.json.decode(path.read_bytes())
    except (msgspec.DecodeError, OSError) as error:
        raise Misconfigured(f"{path} is no readable JSON; fetch it anew") from error
