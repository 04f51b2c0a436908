"""The vector index of one catalog version: two Chroma collections, built once, then only read.

Embedded, every version has a directory of its own, `<home>/index/<version_id>/`: a writer never shares one
with a reader (Chroma: delete and upsert can make live rows unreachable #7758; a second process hangs on a
writer's lock #7040). On a server, `chroma_url`, the same two collections, named after the version.

Vectors are always passed in, so Chroma's default embedding function, which downloads a model, is never used.
Distances are cosine, set on creation and asserted on opening: Chroma's default is L2.
"""

import shutil
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

import numpy as np

from shopbot.embedding import Embedder, Vectors
from shopbot.errors import ConfigError, IndexMismatch
from shopbot.types import Frozen

if TYPE_CHECKING:
    import httpx
    from chromadb.api.client import Client
    from chromadb.api.collection_configuration import CreateCollectionConfiguration
    from chromadb.api.models.Collection import Collection

IndexKind = Literal["products", "policies"]
KINDS: tuple[IndexKind, ...] = ("products", "policies")
METRIC: Literal["cosine"] = "cosine"
BATCH = 1000
"""Rows a call: below Chroma's limit (5,461), and about 8 MB of JSON where they go to a server."""

# Chroma's defaults (16, 100, 100) left up to 9 of 8,000 clustered vectors unreachable by their own vector;
# these left none, at 0.3 ms a query. Hundreds of equal vectors defeat any setting: hence one a text (twins).
MAX_NEIGHBORS = 32
EF_CONSTRUCTION = 200
EF_SEARCH = 200

SERVER_TIMEOUT_S = 30
REMEDY = "ingest the catalog again to build a new index (shopbot ingest run)"

_clients = threading.RLock()  # chromadb's registry of clients is not thread-safe; reentrant for finalizers


class Manifest(Frozen):
    """What an index was made with and of; kept with the version, compared on every opening.

    `counts` are vectors a collection; `content_hash` covers kinds, ids and payloads of all records, sorted.
    """

    embedder: str
    revision: str
    dimension: int
    metric: str
    counts: dict[IndexKind, int]
    content_hash: str


class Index:
    """One version's two collections. Reading is thread-safe; `add` is for the one that builds it."""

    def __init__(self, client: "Client", collections: Mapping[IndexKind, "Collection"], where: str) -> None:
        self.where = where
        self._collections = collections
        self._close = weakref.finalize(self, _close_client, client)

    def products(self, vector: Vectors, k: int, ids: Sequence[str] | None = None) -> list[tuple[str, float]]:
        """Return at most k (product id, cosine), nearest first; `vector` is (dimension,), L2-normalised.

        With `ids` only these are searched.
        """
        found = self.nearest_of_many("products", np.asarray([vector], dtype=np.float32), k, ids)[0]
        return sorted(found, key=lambda item: (-item[1], item[0]))

    def vectors(self, kind: IndexKind, ids: Sequence[str]) -> Vectors:
        """Return the stored vectors, (len(ids), dimension) float32 in the order of `ids`.

        Raises IndexMismatch if one is missing.
        """
        found: dict[str, Any] = {}
        for batch in _batches(ids):
            with _translated(self.where):
                answer = self._collections[kind].get(ids=batch, include=["embeddings"])
            found.update(zip(answer["ids"], answer["embeddings"], strict=True))  # type: ignore[arg-type]
        if missing := [record_id for record_id in ids if record_id not in found]:
            raise IndexMismatch(f"{self.where}: no vector for {len(missing)} records, e.g. {missing[0]!r}")
        return np.asarray([found[record_id] for record_id in ids], dtype=np.float32)

    def nearest_of_many(
        self, kind: IndexKind, vectors: Vectors, k: int, ids: Sequence[str] | None = None
    ) -> list[list[tuple[str, float]]]:
        """Return for every row of `vectors` its k nearest (vector id, cosine), of `ids` alone where they are given."""
        if k < 1 or (ids is not None and not ids):
            return [[] for _ in vectors]
        only = {} if ids is None else {"ids": list(ids)}
        with _translated(self.where):
            answer = self._collections[kind].query(
                query_embeddings=vectors,
                n_results=k,
                include=["distances"],
                **only,  # type: ignore[arg-type]
            )
        return [
            [(record_id, _cosine(distance)) for record_id, distance in zip(ids, distances, strict=True)]
            for ids, distances in zip(answer["ids"], answer["distances"] or [], strict=True)
        ]

    def add(
        self,
        kind: IndexKind,
        ids: Sequence[str],
        vectors: Sequence[Vectors],
        sections: Sequence[str] | None = None,
    ) -> None:
        """Add one vector, (dimension,), for each id; `sections` names the policy section each stands for."""
        for start in range(0, len(ids), BATCH):
            chosen = slice(start, start + BATCH)
            with _translated(self.where):
                self._collections[kind].add(
                    ids=list(ids[chosen]),
                    embeddings=np.stack(vectors[chosen]),
                    metadatas=[{"section": section} for section in sections[chosen]] if sections else None,
                )

    def ids(self, kind: IndexKind) -> set[str]:
        with _translated(self.where):
            return set(self._collections[kind].get(include=[])["ids"])

    def count(self, kind: IndexKind) -> int:
        with _translated(self.where):
            return self._collections[kind].count()

    def check(self, manifest: Manifest, embedder: Embedder) -> None:
        """Raise IndexMismatch unless this is the index that `manifest` describes and `embedder` made it."""
        _check_embedder(manifest, embedder, self.where)
        for kind, collection in self._collections.items():
            if (metric := _metric(collection)) != METRIC or manifest.metric != METRIC:
                raise IndexMismatch(f"{self.where}: metric {metric}, expected {METRIC}; {REMEDY}")
            if dict(collection.metadata or {}) != _identity(embedder):
                raise IndexMismatch(f"{self.where}: made with {collection.metadata}; {REMEDY}")
            if (count := self.count(kind)) != manifest.counts[kind]:
                raise IndexMismatch(f"{self.where}: holds {count} {kind}, expected {manifest.counts[kind]}; {REMEDY}")

    def close(self) -> None:
        """Release files and connections; happens by itself when the last user of a pinned version is gone."""
        self._close()


@dataclass(frozen=True)
class IndexLocation:
    """Where the indexes are: in the home, or on a Chroma server if `chroma_url` is set."""

    home: Path
    chroma_url: str | None = None

    def create(self, version_id: str, embedder: Embedder) -> Index:
        """Make the empty index of a new version."""
        if self.chroma_url is None:
            self.folder(version_id).mkdir(parents=True)

        def create(client: "Client", name: str) -> "Collection":
            return client.create_collection(
                name,
                embedding_function=None,
                configuration=_configuration(),
                metadata=dict(_identity(embedder)),
            )

        return self._index(version_id, create)

    def open(self, version_id: str, manifest: Manifest, embedder: Embedder) -> Index:
        """Open a published version for reading.

        Raises IndexMismatch if it is gone, damaged, or was made by another embedder or metric.
        """
        where = self._where(version_id)
        _check_embedder(manifest, embedder, where)
        if self.chroma_url is None and not self.folder(version_id).is_dir():  # Chroma would create it
            raise IndexMismatch(f"{where}: {self.folder(version_id)} is missing; {REMEDY}")
        index = self._index(version_id, lambda client, name: client.get_collection(name, embedding_function=None))
        try:
            index.check(manifest, embedder)
        except IndexMismatch:
            index.close()
            raise
        return index

    def delete(self, version_id: str) -> None:
        """Remove a version's index, whether it is complete, half-built or gone already."""
        from chromadb.errors import NotFoundError

        if self.chroma_url is None:
            if self.folder(version_id).exists():
                shutil.rmtree(self.folder(version_id))
            return
        client = self._client(version_id)
        try:
            for kind in KINDS:
                with _translated(self._where(version_id)), suppress(NotFoundError):
                    client.delete_collection(f"{version_id}-{kind}")
        finally:
            _close_client(client)

    def present(self, version_ids: Sequence[str]) -> list[str]:
        """Return those of the versions of which anything is left."""
        if self.chroma_url is None or not version_ids:
            return [version_id for version_id in version_ids if self.folder(version_id).exists()]
        client = self._client("")
        try:
            names = set(_collection_names(client))
        finally:
            _close_client(client)
        return [found for found in version_ids if names & {f"{found}-{kind}" for kind in KINDS}]

    def folder(self, version_id: str) -> Path:
        return self.home / "index" / version_id

    def _where(self, version_id: str) -> str:
        return f"index {version_id} on {self.chroma_url}" if self.chroma_url else f"index {version_id}"

    def _index(self, version_id: str, collection: "Callable[[Client, str], Collection]") -> Index:
        """Make or open both collections; the client is closed again if that fails."""
        where = self._where(version_id)
        client = self._client(version_id)
        with ExitStack() as on_failure, _translated(where):
            on_failure.callback(_close_client, client)
            collections = {kind: collection(client, f"{version_id}-{kind}") for kind in KINDS}
            on_failure.pop_all()
        return Index(client, collections, where)

    def _client(self, version_id: str) -> "Client":
        import chromadb
        from chromadb.config import Settings as ChromaSettings

        # The unprefixed environment variables and the .env file that Chroma would read are not ours.
        settings = ChromaSettings(_env_file=None, anonymized_telemetry=False)  # type: ignore[call-arg]
        with _clients, _translated(self._where(version_id)):
            if self.chroma_url is None:
                return cast("Client", chromadb.PersistentClient(self.folder(version_id), settings=settings))
            host, port, ssl = _split_url(self.chroma_url)
            _check_server(self.chroma_url)
            client = cast("Client", chromadb.HttpClient(host, port, ssl, settings=settings))
            for session in _sessions(client):
                session.timeout = SERVER_TIMEOUT_S
            return client


def _collection_names(client: "Client") -> Iterator[str]:
    for start in range(0, client.count_collections(), BATCH):
        for collection in client.list_collections(limit=BATCH, offset=start):
            yield collection.name


def _batches(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), BATCH):
        yield list(ids[start : start + BATCH])


def _close_client(client: "Client") -> None:
    with _clients:
        sessions = _sessions(client)
        client.close()
        for session in sessions:
            session.close()


def _sessions(client: "Client") -> "list[httpx.Client]":
    """Return a client's HTTP sessions, none when embedded.

    Chroma 1.5.9 gives them no timeout at all and leaves them open when the client is closed.
    """
    apis: list[Any] = [client, client._admin_client]
    return [api._server._session for api in apis if hasattr(api._server, "_session")]


def _check_server(url: str) -> None:
    """Ask for a sign of life with a timeout: constructing Chroma's client has none."""
    import httpx

    httpx.get(f"{url.rstrip('/')}/api/v2/heartbeat", timeout=SERVER_TIMEOUT_S).raise_for_status()


def _split_url(url: str) -> tuple[str, int, bool]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"chroma_url={url!r} is no URL such as http://chroma:8000")
    ssl = parts.scheme == "https"
    return parts.hostname, parts.port or (443 if ssl else 80), ssl


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """Turn a server that does not answer into ConfigError, what Chroma objects to into IndexMismatch."""
    import httpx
    from chromadb.errors import ChromaError

    try:
        yield
    except httpx.HTTPError as error:
        raise ConfigError(f"{where}: the Chroma server does not answer ({error}); check SHOPBOT_CHROMA_URL") from error
    except ChromaError as error:
        raise IndexMismatch(f"{where}: {error}; {REMEDY}") from error


def _check_embedder(manifest: Manifest, embedder: Embedder, where: str) -> None:
    made = (manifest.embedder, manifest.revision, manifest.dimension)
    given = (embedder.name, embedder.revision, embedder.dimension)
    if made != given:
        raise IndexMismatch(
            f"{where} was made with embedder {_shown(*made)}, but {_shown(*given)} is set; "
            f"set SHOPBOT_EMBEDDER back, or {REMEDY}"
        )


def _shown(name: str, revision: str, dimension: int) -> str:
    return f"{name} (revision {revision}, {dimension} dimensions)"


def _configuration() -> "CreateCollectionConfiguration":
    return {
        "hnsw": {
            "space": METRIC,
            "max_neighbors": MAX_NEIGHBORS,
            "ef_construction": EF_CONSTRUCTION,
            "ef_search": EF_SEARCH,
        }
    }


def _identity(embedder: Embedder) -> dict[str, str | int]:
    """What a collection itself remembers of the embedder that made it."""
    return {"embedder": embedder.name, "revision": embedder.revision, "dimension": embedder.dimension}


def _metric(collection: "Collection") -> str:
    # `collection.configuration` warns about a missing embedding function; the plain JSON does not.
    configuration = collection.configuration_json
    settings = configuration.get("hnsw") or configuration.get("spann") or {}
    return str(settings.get("space"))


def _cosine(distance: float) -> float:
    """Turn Chroma's distance into a cosine in [-1, 1], higher is closer; rounding may overshoot by 1e-7."""
    return min(1.0, max(-1.0, 1.0 - distance))
