#!/usr/bin/python3
"""Builds the console's page (src/console/web) when its sources have changed, and installs what npm has to bring."""

import hashlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "src" / "console" / "web"
TESTS = ROOT / "tests" / "console"
PARTS = ["package.json", "package-lock.json", ".npmrc", "tsconfig.json", "build.mjs", "static", "src"]


def digest(files):
    """Of the names and the bytes of the files."""
    total = hashlib.sha256()
    for file in sorted(files):
        data = file.read_bytes()
        total.update(f"{file.relative_to(ROOT)} {len(data)}\n".encode())
        total.update(data)
    return total.hexdigest()


def sources():
    """What the page is made of: it has its documentation in it."""
    found = sorted((ROOT / "docs").glob("*.md"))
    for part in (WEB / name for name in PARTS):
        found += [file for file in part.rglob("*") if file.is_file()] if part.is_dir() else [part]
    return found


def run(command, directory):
    done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.stderr.write(done.stdout.decode(errors="replace"))
        raise SystemExit(f"web: {' '.join(command)} failed in {directory.relative_to(ROOT)}")


def install(directory):
    """npm ci, where the lock file is not the one of the last time."""
    stamp = directory / "node_modules" / ".leash-installed"
    wanted = digest([directory / "package.json", directory / "package-lock.json"])
    if stamp.exists() and stamp.read_text() == wanted:
        return
    run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], directory)
    stamp.write_text(wanted)


def build():
    """Leaves src/console/web/dist as `npm run build` makes it from the sources there are."""
    if not WEB.is_dir():
        return
    install(WEB)
    stamp = WEB / "node_modules" / ".leash-built"
    wanted = digest(sources())
    if stamp.exists() and stamp.read_text() == wanted and (WEB / "dist" / "app.js").exists():
        return
    stamp.unlink(missing_ok=True)
    run(["npm", "run", "--silent", "build"], WEB)
    stamp.write_text(wanted)


if __name__ == "__main__":
    build()
