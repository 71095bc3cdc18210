"""The audit log as the tests read it."""

import hashlib
import json
from pathlib import Path

from .wait import DEADLINE, wait_until

CHAIN_MARK = b', "chain": "'


def matches(line, wanted):
    for key, value in wanted.items():
        have = line.get(key)
        if callable(value):
            if not value(have):
                return False
        elif have != value:
            return False
    return True


class Log:
    def __init__(self, path):
        self.path = Path(path)

    def raw_lines(self):
        """Whole lines only, without their end."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        return data.split(b"\n")[:-1]

    def lines(self, **wanted):
        """The events that have these values (a function is asked)."""
        return [line for line in (json.loads(raw) for raw in self.raw_lines()) if matches(line, wanted)]

    def mark(self):
        """Where the log stands now, for `since`."""
        return len(self.raw_lines())

    def wait_for(self, since=0, count=1, deadline=DEADLINE, **wanted):
        """The first such line (the list of them with count > 1) written after the mark."""
        def found():
            lines = [line for line in (json.loads(raw) for raw in self.raw_lines()[since:]) if matches(line, wanted)]
            return lines if len(lines) >= count else None

        def what():
            tail = b"\n".join(self.raw_lines()[since:][-15:]).decode("latin-1")
            return f"a line with {wanted} in {self.path}; the log's end is\n{tail}\n"
        lines = wait_until(found, what, deadline)
        return lines[0] if count == 1 else lines

    def check_chain(self):
        """Computes seq and chain anew over all lines; returns how many there were."""
        check_chain(self.raw_lines())
        return len(self.raw_lines())


def check_chain(raw_lines):
    previous, expected = bytes(32), None
    for number, raw in enumerate(raw_lines, 1):
        line = json.loads(raw)
        if expected is not None:
            assert line["seq"] == expected, f"line {number}: seq {line['seq']}, not {expected}"
        expected = line["seq"] + 1
        at = raw.rindex(CHAIN_MARK)
        previous = hashlib.sha256(previous + raw[:at]).digest()
        assert line["chain"] == previous.hex(), f"line {number}: the chain is broken"
        assert raw == raw[:at] + CHAIN_MARK + previous.hex().encode() + b'"}', f"line {number}: chain is not its end"
