#!/usr/bin/python3
"""A flame graph of what `perf record` has seen: perf script -i FILE | bench/flamegraph.py > flame.svg

    perf record -e task-clock -F 997 --call-graph dwarf,16384 -p PID -- sleep 5

Time runs nowhere: a frame's width is its share of the samples, what it calls stands above it. Hover for the names.
"""

import argparse
import re
import sys
from xml.sax.saxutils import escape

WIDTH, ROW, FONT, TEXT = 1400, 17, 11, 6.3
COLOURS = [("kernel", "#8fa8c8"), ("libcrypto", "#d9a05b"), ("libssl", "#e0b97a"), ("libc.so", "#b7b7a4"), ("libevent", "#a8c8a0"),
           ("leash", "#d9795d")]


class Frame:
    def __init__(self, name="", place=""):
        self.name, self.place, self.samples, self.above = name, place, 0, {}

    def add(self, stack):
        self.samples += 1
        frame = self
        for name, place in stack:
            frame = frame.above.setdefault((name, place), Frame(name, place))
            frame.samples += 1


def short(name):
    name = re.sub(r"\+0x[0-9a-f]+$", "", name)
    name = re.sub(r"std::_Function_handler<.*>::_M_invoke.*", "std::function", name)
    name = re.sub(r"\(.*", "", name.replace("(anonymous namespace)::", ""))
    while (shorter := re.sub(r"<[^<>]*>", "", name)) != name:
        name = shorter
    return name.replace("leash::", "") or name


def read(lines):
    """Each sample: a head line, then its frames from the innermost on, then an empty line."""
    root, stack = Frame("all"), []
    for line in lines:
        frame = re.match(r"\s+[0-9a-f]+ (.*) \((.*)\)$", line)
        if frame:
            name, place = frame.groups()
            if place == "inlined":
                continue
            stack.append((short(name), "kernel" if "kernel" in place else place.rsplit("/", 1)[-1]))
        elif not line.strip() and stack:
            root.add(reversed(stack))
            stack = []
    if stack:
        root.add(reversed(stack))
    return root


def depth_of(frame, total):
    wide = [above for above in frame.above.values() if above.samples / total > 0.0007]
    return 1 + max((depth_of(above, total) for above in wide), default=0)


def draw(frame, left, level, total, height, out):
    width = frame.samples / total * WIDTH
    if width < 1:
        return
    colour = next((colour for key, colour in COLOURS if key in frame.place), "#cccccc")
    bottom = height - (level + 1) * ROW
    label = frame.name[:int((width - 4) / TEXT)] if width > 30 else ""
    out.append(f'<g><title>{escape(frame.name)} ({escape(frame.place)}), {frame.samples / total * 100:.1f} %</title>'
               f'<rect x="{left:.1f}" y="{bottom}" width="{max(width - 0.5, 0.5):.1f}" height="{ROW - 1}" fill="{colour}"/>'
               f'<text x="{left + 3:.1f}" y="{bottom + 12}">{escape(label)}</text></g>')
    for above in sorted(frame.above.values(), key=lambda f: f.name):
        draw(above, left, level + 1, total, height, out)
        left += above.samples / total * WIDTH


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--title", default="")
    title = parser.parse_args().title
    root = read(sys.stdin)
    if root.samples == 0:
        raise SystemExit("flamegraph: no samples")
    height = depth_of(root, root.samples) * ROW + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
           f'font-family="sans-serif" font-size="{FONT}"><rect width="100%" height="100%" fill="#fdfdfb"/>'
           f'<text x="8" y="18" font-size="14">{escape(title)}</text>']
    draw(root, 0, 0, root.samples, height, out)
    print("\n".join(out) + "\n</svg>")


if __name__ == "__main__":
    main()
