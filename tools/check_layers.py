#!/usr/bin/python3
"""Holds each include line under src/ against the layers and against one library, one room."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src"

BELOW_PROXY = {"base", "net", "tls", "http", "policy", "audit", "config", "sandbox", "signer"}
MAY_INCLUDE = {
    "base": set(),
    "net": {"base"},
    "tls": {"base"},
    "http": {"base"},
    "policy": {"base"},
    "audit": {"base", "policy", "tls"},
    "config": {"base", "policy"},
    "sandbox": {"base"},
    "signer": {"base", "net", "tls", "sandbox"},
    "proxy": BELOW_PROXY,
    "control": BELOW_PROXY | {"proxy"},
    "insight": {"base", "policy", "audit", "config", "tls"},
    "ctl": {"base", "policy", "audit", "config", "tls", "insight"},
    "console": {"base", "net", "tls", "policy", "audit", "config", "insight", "sandbox", "signer"},
    # the mains
    "leash.cc": BELOW_PROXY | {"proxy", "control"},
    "leash_console.cc": {"base", "net", "signer", "console"},
    "leashctl.cc": {"base", "policy", "audit", "config", "tls", "insight", "ctl"},
}
MAINS = {name for name in MAY_INCLUDE if name.endswith(".cc")}

# The beginning of a third-party include: the places that may write it. First match counts.
ROOMS = [
    # evhttp, and what it takes to run it on a loop of its own
    (r"event2/(http|http_struct|keyvalq_struct|buffer|event|listener|util|thread)\.h$", {"net", "control", "console"}),
    (r"event2/(bufferevent|bufferevent_ssl)\.h$", {"net", "console"}),
    (r"event2/", {"net"}),
    (r"ares(_\w+)?\.h$", {"net"}),
    (r"openssl/", {"tls"}),
    (r"seccomp\.h$", {"sandbox"}),
    (r"nghttp2/", {"http"}),
    (r"zlib\.h$", {"http", "audit"}),
    (r"zstd\w*\.h$", {"http", "audit"}),
    (r"brotli/", {"http"}),
    (r"yaml-cpp/", {"config"}),
    (r"rapidjson/", {"audit", "console"}),
    (r"sqlite3\.h$", {"console"}),
    (r"uv\.h$", {"control"}),
    (r"prometheus/", {"control"}),
    (r"CLI/", {"config", "ctl", "console"} | MAINS),
    (r"idn2\.h$", {"base"}),
    (r"libpsl\.h$", {"insight"}),
    (r"(fmt|spdlog|tl)/", None),  # free
]
# The operating system's and the language's own.
SYSTEM = re.compile(r"^([a-z_0-9]+|[a-z_0-9]+\.h|(sys|netinet|arpa|net|linux|asm)/[\w./-]+)$")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def place_of(path):
    relative = path.relative_to(SRC)
    return relative.parts[0]


def check_file(path):
    """The findings of one file, each `path:line: what`."""
    findings = []
    name = path.relative_to(ROOT)
    place = place_of(path)
    text = path.read_text(encoding="utf-8")
    if place not in MAY_INCLUDE:
        return [f"{name}:1: {place} is in no layer; tell tools/check_layers.py where it belongs"]
    if path.suffix == ".h" and not re.search(r"^#pragma once$", text, re.MULTILINE):
        findings.append(f"{name}:1: a header begins with #pragma once")
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match is None:
            continue
        quote, target = match.groups()
        where = f"{name}:{number}"
        if target.endswith((".cc", ".cpp", ".c")):
            findings.append(f"{where}: {target} is not a header")
        elif quote == '"':
            other = target.split("/")[0]
            if not (SRC / target).exists():
                findings.append(f'{where}: "{target}" is not under src/ (others are included with <>)')
            elif other != place and other not in MAY_INCLUDE[place]:
                allowed = " ".join(sorted(MAY_INCLUDE[place])) or "nothing"
                findings.append(f"{where}: {place} may not include {other} (only: {allowed})")
        else:
            for pattern, rooms in ROOMS:
                if re.match(pattern, target):
                    if rooms is not None and place not in rooms:
                        findings.append(f"{where}: <{target}> belongs to {', '.join(sorted(rooms))}")
                    break
            else:
                if not SYSTEM.match(target):
                    findings.append(f"{where}: <{target}> has no room yet")
    return findings


def check(paths=None):
    """(files looked at, findings)."""
    paths = paths or sorted(p for p in SRC.rglob("*") if p.suffix in (".h", ".cc"))
    findings = []
    for path in paths:
        findings += check_file(path)
    return len(paths), findings


def main():
    count, findings = check()
    for finding in findings:
        print(finding)
    print(f"layers: {count} files, {len(findings)} findings")
    raise SystemExit(1 if findings else 0)


if __name__ == "__main__":
    main()
