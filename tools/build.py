#!/usr/bin/python3
"""Configures and builds one of leash's build folders."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import web

ROOT = Path(__file__).resolve().parent.parent

# name: (folder, compiler, meson options)
# clang without optimisation, eight files of a folder at a time: most of what it compiles are headers. Line tables are all that
# a report needs. One folder serves ASan's tests and the fuzz targets. (The vptr check does not get on with shared libraries
# built without RTTI data.)
SANITIZED = ["-Dbuildtype=plain", "-Doptimization=0", "-Ddebug=false", "-Dwerror=false", "-Db_lundef=false",
             "-Dunity=on", "-Dunity_size=8"]
KINDS = {
    "release": ("build", "g++", ["-Dbuildtype=release", "-Db_sanitize=none"]),
    "asan": ("build-asan", "clang++", SANITIZED + ["-Dcpp_args=-g1 -fno-sanitize=vptr", "-Db_sanitize=address,undefined",
                                                   "-Dfuzz=true"]),
    "tsan": ("build-tsan", "clang++", SANITIZED + ["-Dcpp_args=-g1", "-Db_sanitize=thread"]),
}


def folder(kind):
    return ROOT / KINDS[kind][0]


def configure(kind):
    """Sets the folder up; again when its options are not the ones of this kind. Returns it."""
    name, compiler, options = KINDS[kind]
    directory = ROOT / name
    stamp = directory / "leash-options.txt"
    wanted = " ".join([compiler] + options)
    if (directory / "build.ninja").exists() and stamp.exists() and stamp.read_text() == wanted:
        return directory
    # What is left of another kind, or of a setup that was stopped half way.
    shutil.rmtree(directory, ignore_errors=True)
    environment = dict(os.environ)
    if shutil.which("ccache"):
        compiler = "ccache " + compiler
    environment["CXX"] = compiler
    command = ["meson", "setup", str(directory), str(ROOT)] + options
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.stderr.write(done.stdout.decode(errors="replace"))
        raise SystemExit(f"build: meson setup {name} failed")
    stamp.write_text(wanted)
    return directory


def build(kind, targets=()):
    """Builds the targets (default: all). Returns the exit code; a failure's output has been printed."""
    web.build()  # the console carries the page in itself
    directory = configure(kind)
    # Another clone of the same sources shares the cache: paths below the root are taken relative to it.
    environment = dict(os.environ, CCACHE_BASEDIR=str(ROOT), CCACHE_NOHASHDIR="1")
    return subprocess.run(["ninja", "-C", str(directory)] + list(targets), env=environment).returncode


def link_programs(directory):
    """Puts the programs where people look for them, whichever folder of the build they come from."""
    for program in ("leash", "leash-console", "leashctl"):
        for found in sorted(directory.glob(f"src/**/{program}")):
            if found.is_file() and os.access(found, os.X_OK):
                link = directory / program
                if link.is_symlink() or link.exists():
                    link.unlink()
                link.symlink_to(found.relative_to(directory))
                break


def main():
    kind = sys.argv[1] if len(sys.argv) > 1 else "release"
    if kind not in KINDS:
        raise SystemExit(f"build: no such kind: {kind} (one of: {' '.join(KINDS)})")
    code = build(kind, sys.argv[2:])
    if code == 0:
        link_programs(folder(kind))
    raise SystemExit(code)


if __name__ == "__main__":
    main()
