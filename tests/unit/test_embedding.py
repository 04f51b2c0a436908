from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from shopbot.embedding import VectorCache, load_embedder, weights_revision
from shopbot.errors import ConfigError
from tests.fakes_data import DIMENSION, HashEmbedder


def test_single_texts_are_embedded_once() -> None:
    inner = HashEmbedder()
    cache = VectorCache(inner)
    first, second = cache.embed(["tea"]), cache.embed(["tea"])
    assert inner.embedded == ["tea"]
    assert np.array_equal(first, second)
    assert (inner.name, inner.revision, inner.dimension) == (cache.name, cache.revision, cache.dimension)


def test_a_remembered_vector_cannot_be_changed_by_a_caller() -> None:
    cache = VectorCache(HashEmbedder())
    with pytest.raises(ValueError, match="read-only"):
        cache.embed(["tea"])[0][0] = 1


def test_of_several_texts_only_those_are_embedded_that_are_not_known() -> None:
    inner = HashEmbedder()
    cache = VectorCache(inner)
    cache.embed(["tea"])
    cache.embed(["pot", "tea", "cup"])
    assert inner.embedded == ["tea", "pot", "cup"]
    cache.embed(["cup"])
    cache.embed(["cup", "pot"])
    assert inner.embedded == ["tea", "pot", "cup"]


def test_the_vectors_come_in_the_order_of_the_texts_known_or_not() -> None:
    cache = VectorCache(HashEmbedder())
    cache.embed(["cup", "tea"])
    texts = ["pot", "tea", "jug", "cup"]
    assert np.array_equal(cache.embed(texts), HashEmbedder().embed(texts))


def test_a_text_that_stands_twice_in_a_call_is_embedded_once_and_given_twice() -> None:
    inner = HashEmbedder()
    found = VectorCache(inner).embed(["tea", "pot", "tea"])
    assert inner.embedded == ["tea", "pot"]
    assert np.array_equal(found, HashEmbedder().embed(["tea", "pot", "tea"]))


def test_what_a_caller_does_to_several_vectors_is_not_remembered() -> None:
    cache = VectorCache(HashEmbedder())
    cache.embed(["tea", "pot"])[:] = 0
    assert np.array_equal(cache.embed(["tea"]), HashEmbedder().embed(["tea"]))


@pytest.mark.parametrize(("count", "times"), [(VectorCache.MOST_CACHED, 1), (VectorCache.MOST_CACHED + 1, 2)])
def test_calls_with_more_texts_than_the_most_pass_through(count: int, times: int) -> None:
    inner = HashEmbedder()
    cache = VectorCache(inner)
    texts = [f"text {number}" for number in range(count)]
    assert np.array_equal(cache.embed(texts), cache.embed(texts))
    assert inner.embedded == texts * times


def test_a_call_passed_through_neither_asks_nor_fills_the_memory() -> None:
    inner = HashEmbedder()
    cache = VectorCache(inner)
    texts = [f"text {number}" for number in range(VectorCache.MOST_CACHED + 1)]
    cache.embed(texts[:1])
    cache.embed(texts)
    cache.embed(texts[1:2])
    assert inner.embedded == [*texts[:1], *texts, *texts[1:2]]


def test_no_text_has_no_vector() -> None:
    assert VectorCache(HashEmbedder()).embed([]).shape == (0, DIMENSION)


def test_a_call_with_more_texts_than_are_kept_is_answered_whole() -> None:
    inner = HashEmbedder()
    cache = VectorCache(inner, size=2)
    texts = ["a", "b", "c", "d"]
    assert np.array_equal(cache.embed(texts), HashEmbedder().embed(texts))
    cache.embed(["c", "d"])
    cache.embed(["b"])
    assert inner.embedded == [*texts, "b"]


def test_the_least_recently_used_text_is_forgotten() -> None:
    inner = HashEmbedder()
    cache = VectorCache(inner, size=2)
    for text in ["a", "b", "a", "c", "a", "b"]:
        cache.embed([text])
    assert inner.embedded == ["a", "b", "c", "b"]


def test_the_cache_serves_many_threads() -> None:
    cache = VectorCache(HashEmbedder(), size=3)
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
