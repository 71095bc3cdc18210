#!/usr/bin/python3
"""The static checks: clang-format, the layers, clang-tidy. Each yields results for tools/test.py.

`lint.py` runs clang-tidy alone, without a word: its results are there later on.
"""

import hashlib
import json
import os
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import build
import check_layers

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = [ROOT / ".clang-tidy", ROOT / "tools" / "lint.py", ROOT / "tools" / "embed.py"]  # embed.py writes a source
KEPT_SECONDS = 30 * 24 * 3600
FORMAT, TIDY = "clang-format-14", "clang-tidy-14"


def sources():
    found = []
    for top in ("src", "tests", "bench"):
        found += [p for p in (ROOT / top).rglob("*") if p.suffix in (".h", ".cc")]
    return sorted(found)


def check_format(record):
    """One result for all files: the names of those that clang-format would change."""
    wrong = []
    files = [str(p) for p in sources()]
    for begin in range(0, len(files), 50):
        done = subprocess.run([FORMAT, "--dry-run", "-Werror", "--style=file"] + files[begin:begin + 50],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT)
        wrong += re.findall(r"^(\S+?):\d+:\d+: error: code should be", done.stdout.decode(), re.MULTILINE)
    names = sorted({str(Path(name).relative_to(ROOT)) for name in wrong})
    record("lint: format", not names, "\n".join(f"{name}: run {FORMAT} -i" for name in names))


def check_the_layers(record):
    _, findings = check_layers.check()
    record("lint: layers", not findings, "\n".join(findings))


def closure(path, seen):
    """The file and the project's headers that it includes, directly or not."""
    if path in seen or not path.exists():
        return
    seen.add(path)
    for target in re.findall(r'^\s*#\s*include\s*"([^"]+)"', path.read_text(errors="replace"), re.MULTILINE):
        closure(ROOT / "src" / target, seen)


class Unit:
    """Files of one folder that are compiled, and checked, at one go: most of what clang-tidy reads are their headers."""

    def __init__(self, command):
        self.command = command["command"]
        path = Path(command["directory"], command["file"])
        self.path = str(path)
        included = [Path(name).resolve() for name in re.findall(r"^#include<(.*)>$", path.read_text(), re.MULTILINE)]
        self.sources = [source for source in included if ROOT / "src" in source.parents]

    def key(self, version):
        seen = set()
        for source in self.sources:
            closure(source, seen)
        digest = hashlib.sha256(version + self.command.encode())
        for path in SETTINGS + sorted(seen):
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()


def units():
    """Those of the sanitizers' build, which takes several files at a time anyway."""
    directory = build.configure("asan")
    commands = json.loads((directory / "compile_commands.json").read_text())
    found = [Unit(command) for command in commands if re.search(r"-unity\d+\.cpp$", command["file"])]
    return [unit for unit in found if unit.sources]


def cache():
    """Where it stands which units passed: as ccache does it for what compiled, for all clones of this user."""
    try:
        place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "leash" / "tidy"
        place.mkdir(parents=True, exist_ok=True)
        (place / "used").touch()
    except (OSError, RuntimeError):  # no home, or none to write to
        place = build.folder("asan") / "tidy"
        place.mkdir(parents=True, exist_ok=True)
    for entry in place.iterdir():
        try:
            if entry.stat().st_mtime < time.time() - KEPT_SECONDS:
                entry.unlink()
        except FileNotFoundError:
            pass  # another clone's run was faster
    return place


def check_tidy(record, jobs):
    """One result a source file under src/; files that passed and have not changed since are not read again."""
    version = subprocess.run([TIDY, "--version"], stdout=subprocess.PIPE, check=True).stdout
    place = cache()

    def one(unit):
        """What is wrong, or ""."""
        passed = place / unit.key(version)
        if passed.exists():
            passed.touch()
            return ""
        done = subprocess.run([TIDY, "-p", str(build.folder("asan")), "--quiet", "--extra-arg=-Wno-unknown-warning-option",
                               "--extra-arg=-ULEASH_SANITIZED", unit.path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode == 0:
            passed.touch()
            return ""
        return done.stdout.decode(errors="replace") or f"exit code {done.returncode}"

    all_units = units()
    checked = {source for unit in all_units for source in unit.sources}
    for source in sorted(set((ROOT / "src").rglob("*.cc")) - checked):
        if "node_modules" not in source.parts:
            record(f"tidy: {source.relative_to(ROOT)}", False, "no meson.build names this file")
    with ThreadPoolExecutor(jobs) as pool:
        for unit, wrong in zip(all_units, pool.map(one, all_units)):
            names = [str(source.relative_to(ROOT)) for source in unit.sources]
            # A header's finding, or none at all, is told with the first of them.
            told = [name for name in names if name in wrong] or names[:1]
            for name in names:
                is_good = not wrong or name not in told
                record(f"tidy: {name}", is_good, "" if is_good else wrong)


def main():
    check_tidy(lambda *result: None, os.cpu_count() or 2)


if __name__ == "__main__":
    main()
