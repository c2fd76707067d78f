"""A tiny random BERT in a directory, and the same arithmetic written out in numpy as the oracle."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

Array = Any  # numpy's own types make of each expression another one

HIDDEN, HEADS, LAYERS, INNER, POSITIONS, EPSILON = 16, 2, 2, 32, 24, 1e-12
WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "ran", "to", "its", "red", "hat"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
CONFIG = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "hidden_size": HIDDEN,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "max_position_embeddings": POSITIONS,
    "layer_norm_eps": EPSILON,
    "pad_token_id": 0,
}


def weights(seed: int = 0) -> dict[str, Array]:
    draw = np.random.default_rng(seed)

    def some(*shape: int) -> Array:
        return draw.normal(0, 0.5, shape).astype(np.float32)

    vocabulary = len(SPECIAL) + len(WORDS)
    found = {
        "embeddings.word_embeddings.weight": some(vocabulary, HIDDEN),
        "embeddings.position_embeddings.weight": some(POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": some(2, HIDDEN),
        "embeddings.LayerNorm.weight": some(HIDDEN),
        "embeddings.LayerNorm.bias": some(HIDDEN),
    }
    for layer in range(LAYERS):
        for name, out, into in (
            ("attention.self.query", HIDDEN, HIDDEN),
            ("attention.self.key", HIDDEN, HIDDEN),
            ("attention.self.value", HIDDEN, HIDDEN),
            ("attention.output.dense", HIDDEN, HIDDEN),
            ("intermediate.dense", INNER, HIDDEN),
            ("output.dense", HIDDEN, INNER),
        ):
            found[f"encoder.layer.{layer}.{name}.weight"] = some(out, into)
            found[f"encoder.layer.{layer}.{name}.bias"] = some(out)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            found[f"encoder.layer.{layer}.{name}.weight"] = some(HIDDEN)
            found[f"encoder.layer.{layer}.{name}.bias"] = some(HIDDEN)
    return found


def write(place: Path, tensors: dict[str, Array] | None = None, **config) -> Path:
    """A model directory as sentence-transformers writes it."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.json").write_text(json.dumps(CONFIG | config))
    save_file(weights() if tensors is None else tensors, place / "model.safetensors")
    vocabulary = {word: number for number, word in enumerate(SPECIAL + WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(place / "tokenizer.json"))
    return place


def embed(tensors: dict[str, Array], ids: list[int], pooling: str) -> Array:
    """One text's vector by plain arithmetic in float64, no padding, no batch."""
    w = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = _norm(x + w["embeddings.token_type_embeddings.weight"][0], w, "embeddings.LayerNorm")
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        mixed = _attention(x, w, f"{at}attention.self.")
        dense = _dense(mixed, w, f"{at}attention.output.dense")
        x = _norm(x + dense, w, f"{at}attention.output.LayerNorm")
        inner = _dense(x, w, f"{at}intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = _norm(x + _dense(inner, w, f"{at}output.dense"), w, f"{at}output.LayerNorm")
    pooled = x[0] if pooling == "cls" else x.mean(axis=0)
    return pooled / np.linalg.norm(pooled)


def _dense(x: Array, w: dict[str, Array], name: str) -> Array:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def _norm(x: Array, w: dict[str, Array], name: str) -> Array:
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
    return centred / scale * w[f"{name}.weight"] + w[f"{name}.bias"]


def _attention(x: Array, w: dict[str, Array], at: str) -> Array:
    heads = []
    for part in np.split(np.arange(HIDDEN), HEADS):
        query, key, value = (_dense(x, w, at + name)[:, part] for name in ("query", "key", "value"))
        scores = np.exp(query @ key.T / math.sqrt(len(part)))
        heads.append(scores / scores.sum(axis=1, keepdims=True) @ value)
    return np.concatenate(heads, axis=1)
