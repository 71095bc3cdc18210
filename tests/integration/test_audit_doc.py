"""Every recipe that docs/AUDIT.md shows is run against a real log, as it stands there."""

import re
import shutil
import subprocess
import sys
import threading

import pytest

from support.leash import BUILD, ROOT
from support.wait import DEADLINE
from support.world import Way, World

TEXT = (ROOT / "docs" / "AUDIT.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
# A shell block is one recipe; in the list at the end each is, with the comment that says what it is for.
SHELL = [piece.strip() for kind, text in BLOCKS if kind == "sh" for piece in re.split(r"\n\n(?=#)", text)]
# What an id looks like in the text; those of the log come in their place.
REQUEST, TUNNEL = "147280df-0-2", "147280df-0-1"


class Made:
    """A folder with a log in which there is something for each recipe: refusals, a mode change, secrets, a kill."""

    def __init__(self, leash, world):
        folder = leash.directory / "recipes"
        folder.mkdir()
        gate = threading.Event()
        world.tls.on("/held", lambda exchange: gate.wait(DEADLINE))
        way = Way(leash, world, "tunnel")
        way.conn.get(way.target("/a"), way.host, headers=[("Authorization", "Bearer secret")])
        request = leash.log.wait_for(event="allowed")
        self.ids = {REQUEST: request["id"], TUNNEL: request["tunnel"]}
        with leash.connect() as conn:
            conn.get(f"http://{world.denied_plain_authority}/b", world.denied_plain_authority)
        leash.log.wait_for(event="blocked")
        leash.set_mode("audit")
        with leash.connect() as conn:
            conn.get(f"http://{world.denied_plain_authority}/c", world.denied_plain_authority)
        leash.log.wait_for(event="allowed", audit="would_block_in_enforce")
        way.conn.close()
        leash.stop()  # a checkpoint covers all of it
        older = leash.log_path.rename(leash.log_path.with_name("egress.jsonl.1"))
        leash.start()  # the chain goes on from the file beside it
        older.rename(folder / "egress.jsonl.1")
        way = Way(leash, world, "tunnel")
        way.conn.send(f"GET /held HTTP/1.1\r\nHost: {way.host}\r\n\r\n".encode())
        leash.log.wait_for(event="request")
        leash.kill()
        gate.set()
        leash.start()
        self.repeat_what_the_log_is_about(leash, world)
        leash.stop()
        shutil.copy(folder / "egress.jsonl.1", folder / "whole.jsonl")
        with open(folder / "whole.jsonl", "ab") as whole:
            whole.write(leash.log_path.read_bytes())
        subprocess.run(["zstd", "-q", folder / "egress.jsonl.1", "-o", folder / "egress.jsonl.seq000000000009.zst"], check=True)
        subprocess.run(["gzip", folder / "egress.jsonl.1"], check=True)
        shutil.copy(leash.log_path, folder / "egress.jsonl")
        shutil.copy(leash.ca_dir / "leash-audit-key.pub.pem", folder)
        shutil.copy(ROOT / "docs" / "verify_proof.py", folder)
        self.folder = folder
        self.env = {"PATH": f"{BUILD}:/usr/bin:/bin", "LEASH_DIR": str(leash.policy), "LC_ALL": "C.UTF-8"}

    def repeat_what_the_log_is_about(self, leash, world):
        """The recipes look at the newer file too."""
        leash.set_mode("enforce")
        with leash.connect() as conn:
            conn.get(f"http://{world.denied_plain_authority}/d", world.denied_plain_authority)
        leash.log.wait_for(event="blocked")
        leash.set_mode("audit")
        with leash.connect() as conn:
            conn.get(f"http://{world.denied_plain_authority}/e", world.denied_plain_authority,
                     headers=[("Authorization", "Bearer secret")])
        leash.log.wait_for(event="allowed")

    def run(self, *command):
        return subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, timeout=DEADLINE, text=True)


@pytest.fixture(scope="module")
def made(pki, module_leash):
    world = World(pki)
    yield Made(module_leash(mode="enforce", **world.options()), world)
    world.close()


def test_there_are_recipes():
    assert len(SHELL) >= 12 and any("verify_proof.py" in recipe for recipe in SHELL)


def test_each_shell_recipe_works(made):
    silent = re.compile(r">> witnesses$")
    for recipe in SHELL:
        text = recipe
        for shown, real in made.ids.items():
            text = text.replace(shown, real)
        # One id's lines are all in the older file.
        text = re.sub(r"^(jq .*\.id == .*) egress\.jsonl$", r"\1 whole.jsonl", text, flags=re.MULTILINE)
        done = made.run("bash", "-e", "-o", "pipefail", "-c", text)
        assert done.returncode == 0, (text, done.stdout, done.stderr)
        assert done.stdout or silent.search(text), (text, "it printed nothing")
        assert "Traceback" not in done.stderr and "jq: error" not in done.stderr, (text, done.stderr)


def test_the_python_that_checks_a_chain_works(made):
    (script,) = [text for kind, text in BLOCKS if kind == "python"]
    (made.folder / "chain.py").write_text(script)
    done = made.run(sys.executable, "chain.py", "whole.jsonl")
    assert done.returncode == 0 and done.stdout.startswith("whole: "), done
    data = (made.folder / "whole.jsonl").read_bytes()
    (made.folder / "changed.jsonl").write_bytes(data.replace(b'"port": ', b'"port": 1', 1))
    done = made.run(sys.executable, "chain.py", "changed.jsonl")
    assert done.returncode == 1 and "not as it was written" in done.stderr, done
