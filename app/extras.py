"""Packages that only training and evaluation need."""

from importlib.util import find_spec

from shopbot.errors import ConfigError

TRAIN = ("datasets", "matplotlib", "rouge_score", "sacrebleu", "sklearn", "trl")


def check_installed(purpose: str) -> None:
    """Raise ConfigError, saying what to install, before minutes of work end in an import error."""
    if missing := [name for name in TRAIN if find_spec(name) is None]:
        raise ConfigError(f"{purpose} needs {', '.join(missing)}; install them with: pip install 'shopbot[train]'")
