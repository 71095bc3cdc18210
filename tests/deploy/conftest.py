"""Tests of the installation. They want root, namespaces, systemd-nspawn and a Debian mirror, and say so where those are missing."""

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

from machine import make_root, why_not  # noqa: E402
from support.leash import BUILD, LEASH, LEASHCTL  # noqa: E402
from support.pki import Pki  # noqa: E402


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def debian():
    """The root that all machines of this run share; none of them writes it."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    directory = Path(tempfile.mkdtemp(prefix="leash-debian-", dir="/var/tmp"))
    try:
        console = BUILD / "leash-console"
        yield make_root(directory / "root", [LEASH, LEASHCTL] + ([console] if console.exists() else []))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
