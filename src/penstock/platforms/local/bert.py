"""A BERT encoder as an ONNX graph over safetensors weights, for directories that carry no ONNX file.

Each layer is seven of ONNX Runtime's fused operations; the same arithmetic in numpy took twice the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from penstock.errors import Misconfigured
from penstock.platforms.local import onnx

Weights = dict[str, NDArray[np.float32]]

INPUTS = ("input_ids", "token_type_ids", "attention_mask")
OUTPUT = "last_hidden_state"
_PREFIX = "bert."
_READABLE = {"F32", "F16"}
_IGNORED = "position_ids"


@dataclass(slots=True)
class _Graph:
    nodes: list[bytes] = field(default_factory=list)
    weights: Weights = field(default_factory=dict)

    def weight(self, name: str, array: NDArray[Any]) -> str:
        self.weights[name] = np.ascontiguousarray(array, np.float32)
        return name

    def add(self, kind: str, out: str, *inputs: str, **attributes: onnx.Attribute) -> str:
        domain = "" if kind == "MatMul" else onnx.CONTRIB
        self.nodes.append(onnx.node(kind, inputs, [out], domain, **attributes))
        return out


def build(config: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> tuple[bytes, Weights]:
    """The model, and the initializers to hand to its session; raises Misconfigured for another kind of model."""
    check(config)
    graph = _Graph()
    try:
        hidden = _embed(graph, weights, config["layer_norm_eps"])
        for number in range(config["num_hidden_layers"]):
            hidden = _layer(graph, weights, config, number, hidden)
    except KeyError as error:
        raise Misconfigured(f"the model lacks {error}; take one of BERT's architecture") from error
    graph.nodes.append(onnx.node("Identity", [hidden], [OUTPUT]))
    batch = ("texts", "tokens")
    model = onnx.model(
        graph.nodes,
        [onnx.weight(name, array.shape) for name, array in graph.weights.items()],
        [onnx.value(name, onnx.INT32, batch) for name in INPUTS],
        onnx.value(OUTPUT, onnx.FLOAT, (*batch, config["hidden_size"])),
    )
    return model, graph.weights


def check(config: Mapping[str, Any]) -> None:
    """Raises Misconfigured where config.json tells of another model than is built here."""
    due = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
    for name, value in due.items():
        if config.get(name, value) != value:
            raise Misconfigured(
                f"config.json has {name} {config[name]!r}; from safetensors only {value!r} runs: "
                "give the directory a model.onnx"
            )


def read(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a safetensors file under BERT's own names; raises Misconfigured."""
    try:
        with safe_open(path, framework="numpy") as file:
            names = [name for name in file.keys() if not name.endswith(_IGNORED)]  # noqa: SIM118 - no mapping
            kinds = {file.get_slice(name).get_dtype() for name in names}
            if not kinds <= _READABLE:
                raise Misconfigured(
                    f"{path} holds {', '.join(sorted(kinds - _READABLE))}; float32 and float16 are read"
                )
            return {name.removeprefix(_PREFIX): file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise Misconfigured(f"{path} is no readable safetensors file; fetch it anew") from error


def _embed(graph: _Graph, weights: Mapping[str, NDArray[Any]], epsilon: float) -> str:
    tables = [
        graph.weight(name, weights[f"embeddings.{name}"])
        for name in (
            "word_embeddings.weight",
            "position_embeddings.weight",
            "token_type_embeddings.weight",
            "LayerNorm.weight",
            "LayerNorm.bias",
        )
    ]
    graph.nodes.append(
        onnx.node(
            "EmbedLayerNormalization",
            [*INPUTS[:2], *tables, INPUTS[2]],
            ["embedded", "lengths"],
            onnx.CONTRIB,
            epsilon=epsilon,
        )
    )
    return "embedded"


def _layer(
    graph: _Graph,
    weights: Mapping[str, NDArray[Any]],
    config: Mapping[str, Any],
    number: int,
    hidden: str,
) -> str:
    at = f"encoder.layer.{number}."
    heads: int = config["num_attention_heads"]
    epsilon: float = config["layer_norm_eps"]
    parts = [f"{at}attention.self.{part}" for part in ("query", "key", "value")]
    mixed = graph.add(
        "Attention",
        f"{at}mixed",
        hidden,
        graph.weight(f"{at}qkv", np.concatenate([weights[f"{p}.weight"].T for p in parts], 1)),
        graph.weight(f"{at}qkv.bias", np.concatenate([weights[f"{p}.bias"] for p in parts])),
        "lengths",
        num_heads=heads,
    )
    attended = _add_normed(graph, weights, f"{at}attention.output", mixed, hidden, epsilon)
    grown = _matmul(graph, weights, f"{at}intermediate.dense", attended)
    bias = f"{at}intermediate.dense.bias"
    active = graph.add("BiasGelu", f"{at}active", grown, graph.weight(bias, weights[bias]))
    return _add_normed(graph, weights, f"{at}output", active, attended, epsilon)


def _matmul(graph: _Graph, weights: Mapping[str, NDArray[Any]], name: str, x: str) -> str:
    matrix = graph.weight(f"{name}.weight", weights[f"{name}.weight"].T)
    return graph.add("MatMul", f"{name}.product", x, matrix)


def _add_normed(
    graph: _Graph, weights: Mapping[str, NDArray[Any]], at: str, x: str, skip: str, epsilon: float
) -> str:
    """A dense layer, the skip connection and its layer norm."""
    product = _matmul(graph, weights, f"{at}.dense", x)
    rest = [
        graph.weight(f"{at}.{name}", weights[f"{at}.{name}"])
        for name in ("LayerNorm.weight", "LayerNorm.bias", "dense.bias")
    ]
    return graph.add(
        "SkipLayerNormalization", f"{at}.normed", product, skip, *rest, epsilon=epsilon
    )
