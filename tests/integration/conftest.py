"""What every integration test stands on: a PKI, a name server, origins, and leashes that end cleanly."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from support.console import Console  # noqa: E402
from support.disk import DISK, DiskLeash  # noqa: E402
from support.dns import Dns  # noqa: E402
from support.leash import Leash  # noqa: E402
from support.origin import Origin  # noqa: E402
from support.pki import Pki  # noqa: E402
from support.world import World  # noqa: E402


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def dns():
    server = Dns()
    yield server
    server.close()


@pytest.fixture(scope="module")
def module_leash(pki, dns):
    """Makes and starts leashes that live as long as the test file; each must end with exit code 0."""
    yield from leash_maker(pki, dns)


@pytest.fixture
def make_leash(pki, dns):
    """The same for one test."""
    yield from leash_maker(pki, dns)


def scratch_dir():
    """Where logs and keys go: memory, since a busy disk can hold an fsync for longer than any deadline."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def leash_maker(pki, dns):
    made = []
    top = Path(tempfile.mkdtemp(prefix="leash-it-", dir=scratch_dir()))

    def make(starts=True, **options):
        options.setdefault("origin_ca", pki.ca_file)
        leash = Leash(top / str(len(made)), dns.address, **options)
        made.append(leash)
        return leash.start() if starts else leash

    yield make
    try:
        errors = []
        for leash in made:
            try:
                leash.stop()
            except AssertionError as error:
                errors.append(str(error))
        assert not errors, "\n".join(errors)
    finally:
        shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def make_disk_leash(make_leash, pki, dns):
    """The same on a disk that can fail."""
    if not DISK.exists():
        pytest.skip(f"{DISK} is not built")
    made = []

    def make(**options):
        directory = make_leash(starts=False).directory / "disk"
        made.append(DiskLeash(directory, dns.address, origin_ca=pki.ca_file, **options))
        return made[-1].start()

    yield make
    for leash in made:
        leash.stop()


@pytest.fixture(scope="module")
def world(pki):
    """The origins that most tests use; see support/world.py."""
    made = World(pki)
    yield made
    made.close()


@pytest.fixture
def make_origin():
    made = []

    def make(*args, **options):
        origin = Origin(*args, **options)
        made.append(origin)
        return origin

    yield make
    for origin in made:
        origin.close()


@pytest.fixture
def make_console():
    """Makes and starts consoles for one test; each must end with exit code 0."""
    yield from console_maker()


@pytest.fixture(scope="module")
def module_console():
    yield from console_maker()


def console_maker():
    made = []
    top = Path(tempfile.mkdtemp(prefix="leash-console-it-", dir=scratch_dir()))

    def make(leash=None, starts=True, policy_files=None, **options):
        place = top / str(len(made))
        if leash is not None:
            options.setdefault("policy", leash.policy)
            options.setdefault("log", leash.log_path)
            options.setdefault("ca_dir", leash.ca_dir)
            if leash.admin:
                options.setdefault("admin", f"{leash.admin[0]}:{leash.admin[1]}")
        else:
            options.setdefault("policy", place / "policy")
            options.setdefault("log", place / "logs" / "egress.jsonl")
            Path(options["policy"]).mkdir(parents=True, exist_ok=True)
            Path(options["log"]).parent.mkdir(parents=True, exist_ok=True)
        for name, text in (policy_files or {}).items():
            (Path(options["policy"]) / name).write_text(text)
        console = Console(place, **options)
        made.append(console)
        return console.start() if starts else console

    yield make
    try:
        errors = []
        for console in made:
            try:
                console.stop()
            except AssertionError as error:
                errors.append(str(error))
        assert not errors, "\n".join(errors)
    finally:
        shutil.rmtree(top, ignore_errors=True)
