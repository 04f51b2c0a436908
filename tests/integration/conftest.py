"""What the integration tests share: the packaged model, converted once a session, and the command line."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app import cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of converted models; the first test that needs one fills it (about 20 s)."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `shopbot` with arguments and SHOPBOT_ variables, in an empty folder; return exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOPBOT_HOME", str(tmp_path / "home"))

    def run_shopbot(*arguments: object, **variables: object) -> tuple[int, str, str]:
        for name, value in variables.items():
            monkeypatch.setenv(f"SHOPBOT_{name.upper()}", str(value))
        monkeypatch.setattr(sys, "argv", ["shopbot", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int | None)
        return code or 0, printed.out, printed.err

    return run_shopbot
