from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from shopbot.embedding import QueryCache, load_embedder, weights_revision
from shopbot.errors import ConfigError
from tests.fakes_data import DIMENSION, HashEmbedder


def test_single_texts_are_embedded_once() -> None:
    inner = HashEmbedder()
    cache = QueryCache(inner)
    first, second = cache.embed(["tea"]), cache.embed(["tea"])
    assert inner.embedded == ["tea"]
    assert np.array_equal(first, second)
    assert (inner.name, inner.revision, inner.dimension) == (cache.name, cache.revision, cache.dimension)


def test_a_remembered_vector_cannot_be_changed_by_a_caller() -> None:
    cache = QueryCache(HashEmbedder())
    with pytest.raises(ValueError, match="read-only"):
        cache.embed(["tea"])[0][0] = 1


def test_lists_of_texts_are_not_remembered() -> None:
    inner = HashEmbedder()
    cache = QueryCache(inner)
    cache.embed(["a", "b"])
    cache.embed(["a", "b"])
    assert inner.embedded == ["a", "b", "a", "b"]
    assert cache.embed([]).shape == (0, DIMENSION)


def test_the_least_recently_used_text_is_forgotten() -> None:
    inner = HashEmbedder()
    cache = QueryCache(inner, size=2)
    for text in ["a", "b", "a", "c", "a", "b"]:
        cache.embed([text])
    assert inner.embedded == ["a", "b", "c", "b"]


def test_the_cache_serves_many_threads() -> None:
    cache = QueryCache(HashEmbedder(), size=3)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: cache.embed([f"text {number % 7}"]), range(500)))
    for number, vectors in enumerate(found):
        assert np.array_equal(vectors, found[number % 7])


def test_what_is_no_embedder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="minilm"):
        load_embedder(str(tmp_path))


def test_the_revision_changes_with_the_weights(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no weights"):
        weights_revision(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"one")
    one = weights_revision(tmp_path)
    assert len(one) == 12
    (tmp_path / "model.safetensors").write_bytes(b"two")
    two = weights_revision(tmp_path)
    (tmp_path / "model-2.safetensors").write_bytes(b"more")
    assert len({one, two, weights_revision(tmp_path)}) == 3
