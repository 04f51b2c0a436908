"""`make test` leaves nothing out unnoticed: what is skipped there, unless it needs public data, fails the run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUITE = """
import pytest

def test_that_runs():
    assert True

@pytest.mark.skipif(True, reason="no Chromium here")
def test_of_a_component():
    assert True

@pytest.mark.public_data
def test_of_public_data():
    pytest.skip("no data here")
"""


def run_suite(folder: Path, complete: str, *chosen: str) -> tuple[int, str]:
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "conftest.py")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = public_data: may be absent\n", encoding="utf-8")
    (folder / "test_suite.py").write_text(SUITE, encoding="utf-8")
    environment = os.environ | {"SHOPBOT_TESTS_COMPLETE": complete, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout


def test_a_complete_run_fails_on_a_skipped_test_and_names_it(tmp_path: Path) -> None:
    code, output = run_suite(tmp_path, "1")
    assert code == pytest.ExitCode.TESTS_FAILED
    _, _, failed = output.partition("skipped although everything has to run")
    assert "test_suite.py::test_of_a_component" in failed
    assert "test_of_public_data" not in failed


def test_a_complete_run_passes_without_the_public_data_and_names_what_was_left_out(tmp_path: Path) -> None:
    code, output = run_suite(tmp_path, "1", "--deselect", "test_suite.py::test_of_a_component")
    assert code == pytest.ExitCode.OK
    _, _, skipped = output.partition("skipped: public_data is absent")
    assert "test_suite.py::test_of_public_data" in skipped


def test_a_developers_run_may_skip(tmp_path: Path) -> None:
    assert run_suite(tmp_path, "")[0] == pytest.ExitCode.OK
