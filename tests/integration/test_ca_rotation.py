"""leashctl ca rotate, switch, cancel: a new CA, and agents that notice nothing."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from support.leash import LEASHCTL
from support.world import World


@pytest.fixture(scope="module")
def world(pki):
    made = World(pki)
    yield made
    made.close()


@pytest.fixture
def leash(make_leash, world):
    return make_leash(**world.options())


def ctl(leash, *words):
    done = subprocess.run([LEASHCTL, "--policy-dir", str(leash.policy), "--ca-dir", str(leash.ca_dir), *words], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
    return done.returncode, done.stdout, done.stderr


def check(leash, *words):
    code, out, error = ctl(leash, *words)
    assert code == 0, (words, out, error)
    return out


def agent_trusts(leash, world, bundle):
    """A request of an agent that trusts this file and nothing else."""
    host, port = leash.address
    done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-x", f"http://{host}:{port}", "--cacert", str(bundle), "--capath",
                           "/nowhere", f"https://{world.tls_authority}/"], capture_output=True, text=True)
    assert done.returncode in (0, 60), done.stderr
    return done.returncode == 0 and done.stdout == "200"


def test_agents_with_both_certificates_notice_nothing(leash, world, tmp_path):
    old, both, new = tmp_path / "old.pem", tmp_path / "both.pem", tmp_path / "new.pem"
    old.write_text(check(leash, "ca", "--print"))
    said = check(leash, "ca", "rotate", "--at", "14d")
    assert "leash-ca-next-cert.pem" in said
    new.write_text(check(leash, "ca", "--print", "--next"))
    both.write_text(check(leash, "ca", "--bundle"))
    assert both.read_text() == old.read_text() + new.read_text() and old.read_text() != new.read_text()
    assert "next " in check(leash, "ca")
    assert (leash.ca_dir / "leash-ca-next-key.pem").stat().st_mode & 0o777 == 0o600

    # Not due yet, and not before a restart.
    assert check(leash, "ca", "switch", "--if-due") == "nothing is due\n"
    assert agent_trusts(leash, world, old) and agent_trusts(leash, world, both) and not agent_trusts(leash, world, new)
    check(leash, "ca", "switch")
    assert agent_trusts(leash, world, both)
    leash.stop()
    leash.start()
    assert agent_trusts(leash, world, both) and agent_trusts(leash, world, new) and not agent_trusts(leash, world, old)
    assert check(leash, "ca", "--print") == new.read_text() == check(leash, "ca", "--bundle")
    kept = sorted(path.name.split(".before-")[0] for path in leash.ca_dir.glob("*.before-*"))
    assert kept == ["leash-ca-cert.pem", "leash-ca-key.pem"]


def test_a_date_that_has_come(leash):
    before = check(leash, "ca", "--print")
    check(leash, "ca", "rotate", "--at", "1s")
    deadline = time.monotonic() + 20
    while check(leash, "ca", "switch", "--if-due") == "nothing is due\n":
        assert time.monotonic() < deadline
    assert check(leash, "ca", "--print") != before
    assert not (leash.ca_dir / "leash-ca-next-due").exists()


def test_a_mitmproxy_ca_is_followed_by_one_of_ours(make_leash, world, pki, tmp_path):
    leash = make_leash(starts=False, **world.options())
    Path(leash.ca_dir).mkdir(mode=0o700, exist_ok=True)
    bundle = Path(leash.ca_dir) / "mitmproxy-ca.pem"
    bundle.write_text(Path(pki.root.path).read_text())
    bundle.chmod(0o600)
    leash.start()
    check(leash, "ca", "rotate")
    new = tmp_path / "new.pem"
    new.write_text(check(leash, "ca", "--print", "--next"))
    check(leash, "ca", "switch")
    leash.stop()
    leash.start()
    assert agent_trusts(leash, world, new)
    assert not bundle.exists() and len(list(leash.ca_dir.glob("mitmproxy-ca.pem.before-*"))) == 1


def test_what_is_refused(leash, make_leash, world):
    assert ctl(leash, "ca", "switch")[0] == 1 and ctl(leash, "ca", "cancel")[0] == 1
    assert ctl(leash, "ca", "--print", "--next")[0] == 1
    for wrong in ("yesterday", "2020-01-01", "-1d"):
        assert ctl(leash, "ca", "rotate", f"--at={wrong}")[0] == 2, wrong
    check(leash, "ca", "rotate")
    code, _, error = ctl(leash, "ca", "rotate")
    assert code == 1 and "prepared already" in error
    check(leash, "ca", "cancel")
    assert not list(leash.ca_dir.glob("leash-ca-next*"))
    fresh = make_leash(starts=False, **world.options())
    assert ctl(fresh, "ca", "rotate")[0] == 1  # leash makes the first one
