"""leash's processes, as /proc shows them."""

import os
import re
from pathlib import Path


def entries(folder):
    """What a folder of /proc lists; nothing once its process has ended."""
    try:
        return list(Path(folder).iterdir())
    except OSError:
        return []


def children(pid):
    found = []
    for task in entries(f"/proc/{pid}/task"):
        try:
            found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            pass  # that thread has ended
    return found


def descriptors(pid):
    """What each descriptor of a process stands for, by number; without those closed meanwhile."""
    found = {}
    for entry in entries(f"/proc/{pid}/fd"):
        try:
            found[int(entry.name)] = os.readlink(entry)
        except OSError:
            pass  # closed since it was listed
    return found


def arguments(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    except OSError:
        return []


def keeper_of(pid):
    """The process that starts the signer of the proxy `pid`; None while there is none."""
    found = [child for child in children(pid) if "--signer-keeper" in arguments(child)]
    return found[0] if found else None


def signer_of(pid):
    keeper = keeper_of(pid)
    found = [child for child in children(keeper) if "--signer" in arguments(child)] if keeper else []
    return found[0] if found else None


def is_there(pid):
    """Whether any thread of it is: the first one may have ended, and the others still have its sockets."""
    def runs(task):
        try:
            return (task / "stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
        except OSError:
            return False
    return any(runs(task) for task in entries(f"/proc/{pid}/task"))


def status(pid, key, task=None):
    """One value of /proc/PID/status, or of one of its threads."""
    path = f"/proc/{pid}/task/{task}/status" if task else f"/proc/{pid}/status"
    found = re.search(rf"^{key}:\s*(\S+)", Path(path).read_text(), re.MULTILINE)
    return found.group(1) if found else None


def threads(pid):
    return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
