"""What all tests share: quiet threads, markers for what a plain CPU lacks, the command line in-process."""

from __future__ import annotations

import os

# Before torch is imported: two cores, and often a test or two beside each other.
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("MPLBACKEND", "agg")

from collections.abc import Callable
from dataclasses import dataclass

import hypothesis
import pytest

# The machine's load is not the subject of a test, and a red test has to be red again tomorrow.
hypothesis.settings.register_profile("stylegraft", deadline=None, derandomize=True)
hypothesis.settings.load_profile("stylegraft")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--network", action="store_true", help="also run tests that need the internet")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("network") and not config.getoption("--network"):
            item.add_marker(pytest.mark.skip(reason="needs the internet: give --network"))
        if item.get_closest_marker("gpu"):
            import torch

            if not torch.cuda.is_available():
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="session", autouse=True)
def _cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps the tests, and the processes they start, out of the user's cache folder."""
    os.environ["STYLEGRAFT_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@dataclass(frozen=True)
class CliResult:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def run_cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., CliResult]:
    """Runs `stylegraft WORDS...` in this process."""
    from stylegraft.cli.main import main

    def run(*words: object) -> CliResult:
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return CliResult(code, printed.out, printed.err)

    return run
