#!/usr/bin/python3
"""Writes the files of a folder as a C++ source: embed.py OUTPUT FOLDER."""

import hashlib
import sys
from pathlib import Path

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "application/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}


def array(data):
    lines = []
    for start in range(0, len(data), 32):
        lines.append("".join(f"{byte}," for byte in data[start:start + 32]))
    return "\n".join(lines)


def source(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in TYPES)
    out = ['// Made by tools/embed.py.', '#include "console/static_page.h"', '', 'namespace leash::console {',
           'namespace {', '']
    rows = []
    for number, path in enumerate(files):
        data = path.read_bytes()
        out.append(f"const unsigned char kFile{number}[] = {{\n{array(data)}\n0}};")
        etag = hashlib.sha256(data).hexdigest()[:32]
        rows.append(f'    {{"/{path.relative_to(folder).as_posix()}", "{TYPES[path.suffix]}", "\\"{etag}\\"", '
                    f'{{reinterpret_cast<const char*>(kFile{number}), {len(data)}}}}},')
    out += ['', '}  // namespace', '', 'const std::vector<Asset>& embedded_assets() {',
            '  static const std::vector<Asset> assets = {'] + rows + ['  };', '  return assets;', '}', '',
            '}  // namespace leash::console', '']
    return "\n".join(out)


def main():
    output, folder = Path(sys.argv[1]), Path(sys.argv[2])
    text = source(folder)
    # Left alone where nothing has changed, so that nothing is compiled again.
    if not output.exists() or output.read_text() != text:
        output.write_text(text)


if __name__ == "__main__":
    main()
