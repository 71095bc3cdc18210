"""A machine of one's own on this one: a mount namespace, a network namespace, or both, with folders that may be written."""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest

from .wait import DEADLINE, wait_until

CLONE_NEWNET = 0x40000000
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces with a network and overlays")


class Sandbox:
    """Processes started with run() see the machine's files, but what they write below `overlays` is theirs alone, and goes
    with the sandbox. With `network` they have only a loopback of their own; the programs that it `hides` they cannot run."""

    def __init__(self, overlays=(), network=False, hides=()):
        self.directory = Path(tempfile.mkdtemp(prefix="leash-sandbox-", dir="/dev/shm"))
        self.home = self.directory / "home"
        self.home.mkdir()
        flags = ["-m"] + (["-n"] if network else [])
        script = "set -e\n"
        for number, path in enumerate(overlays):
            upper, work = self.directory / f"up{number}", self.directory / f"work{number}"
            upper.mkdir()
            work.mkdir()
            script += f"mount -t overlay overlay -o lowerdir={path},upperdir={upper},workdir={work} {path}\n"
        for program in hides:
            if shutil.which(program):
                script += f"mount --bind /dev/null {os.path.realpath(shutil.which(program))}\n"
        if network:
            script += "ip link set lo up\n"
        script += "echo ready\nexec sleep infinity\n"
        self.keeper = subprocess.Popen(["unshare"] + flags + ["sh", "-c", script], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        line = self.keeper.stdout.readline()
        if line != b"ready\n":
            rest = line + self.keeper.stdout.read()
            self.close()
            raise AssertionError(f"no sandbox: {rest.decode(errors='replace')}")
        self.enter = [shutil.which("nsenter"), "-t", str(self.keeper.pid), "-m"] + (["-n"] if network else []) + ["--"]

    def environment(self, **more):
        made = {"PATH": SYSTEM_PATH, "HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        made.update(more)
        return made

    def run(self, command, env=None, **options):
        """subprocess.run inside, with text and captured output; only `env` and PATH, HOME, LC_ALL in the environment."""
        options.setdefault("timeout", DEADLINE * 3)
        return subprocess.run(self.enter + [str(word) for word in command], env=self.environment(**(env or {})), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, **options)

    def check(self, *command, env=None):
        """The same; it must work. Gives the output."""
        done = self.run(command, env)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def make_small_store(self, keeps_java=False):
        """A trust store of a handful of roots, as good as any and quicker to make anew. Needs overlays on /etc and /var."""
        hook = "" if keeps_java else "rm -f /etc/ca-certificates/update.d/jks-keystore\n"
        self.check("sh", "-ec", hook + "grep -v '^[#!]' /etc/ca-certificates.conf | head -5 > /var/few\n"
                   "cat /var/few > /etc/ca-certificates.conf\nfind /etc/ssl/certs -type l -delete\nupdate-ca-certificates")

    def thread(self, function):
        """Calls function on a thread that is in this network: its sockets, threads and processes are, too."""
        result = {}

        def body():
            try:
                descriptor = os.open(f"/proc/{self.keeper.pid}/ns/net", os.O_RDONLY)
                try:
                    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                finally:
                    os.close(descriptor)
                result["value"] = function()
            except BaseException as error:  # pylint: disable=broad-except
                result["error"] = error

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if "error" in result:
            raise result["error"]
        return result["value"]

    def close(self):
        if self.keeper.poll() is None:
            self.keeper.send_signal(signal.SIGKILL)
        self.keeper.wait()
        self.keeper.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)


__all__ = ["SYSTEM_PATH", "Sandbox", "needs_root", "wait_until"]
