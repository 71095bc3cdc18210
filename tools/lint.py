#!/usr/bin/python3
"""The static checks: clang-format, the layers, clang-tidy. Each yields results for tools/test.py."""

import hashlib
import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import check_layers

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "tidy"
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


def key_of(command, version):
    seen = set()
    closure(Path(command["directory"], command["file"]).resolve(), seen)
    digest = hashlib.sha256(version + (ROOT / ".clang-tidy").read_bytes() + command["command"].encode())
    for path in sorted(seen):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def check_tidy(record, build_dir, jobs):
    """One result a source file under src/; a file that passed and has not changed since is not read again."""
    version = subprocess.run([TIDY, "--version"], stdout=subprocess.PIPE, check=True).stdout
    commands = json.loads((build_dir / "compile_commands.json").read_text())
    unique = {}
    for command in commands:
        path = Path(command["directory"], command["file"]).resolve()
        if (ROOT / "src") in path.parents:
            unique[path] = command
    CACHE.mkdir(parents=True, exist_ok=True)

    def one(path):
        name = f"lint: tidy {path.relative_to(ROOT)}"
        passed = CACHE / key_of(unique[path], version)
        if passed.exists():
            return name, True, ""
        done = subprocess.run([TIDY, "-p", str(build_dir), "--quiet", "--extra-arg=-Wno-unknown-warning-option",
                               str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode == 0:
            passed.touch()
        return name, done.returncode == 0, done.stdout.decode(errors="replace")

    with ThreadPoolExecutor(jobs) as pool:
        for result in pool.map(one, sorted(unique)):
            record(*result)
