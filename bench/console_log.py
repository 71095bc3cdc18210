#!/usr/bin/python3
"""Writes a log as agents make it, for the load test of the console's index: console_log.py --lines N --output FILE."""

import argparse
import random
import sys
from pathlib import Path

AGENTS = [f"agent-{number}" for number in range(40)]
HOSTS = (["api.anthropic.com"] * 30 + ["api.openai.com"] * 10 + ["registry.npmjs.org"] * 12 + ["pypi.org"] * 8 +
         ["files.pythonhosted.org"] * 8 + ["github.com"] * 8 + ["api.github.com"] * 8 + ["www.example.com"] * 3 +
         [f"host-{number}.example.net" for number in range(2_000)])
FIXED = ["/v1/messages", "/v1/models", "/v1/chat/completions", "/simple/requests/", "/healthz", "/graphql"]
REASONS = ["not_in_allowlist", "path_not_allowed", "in_blocklist"]
ERRORS = ["connect_timeout: 10 s", "tls_server: certificate has expired", "reset: by the origin"]


def head(ts, event, agent, host):
    return (f'{{"ts": {ts:.6f}, "event": "{event}", "client": "10.0.{agent // 200}.{agent % 200 + 2}", '
            f'"host": "{host}", "port": 443')


class Writer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.ts = 1_767_225_600.0
        self.seq = 0

    def path(self):
        """Half the URLs are ever the same, the other half never come again."""
        if self.random.random() < 0.5:
            return self.random.choice(FIXED)
        return f"/v1/{self.random.choice(('files', 'objects', 'runs'))}/{self.random.getrandbits(64):016x}?page={self.random.randrange(50)}"

    def tail(self, identity):
        self.seq += 1
        return f', "id": "{identity}", "agent": "%s", "seq": {self.seq}, "chain": "{self.random.getrandbits(256):064x}"}}\n'

    def exchange(self):
        """The lines of one request: its intent and its outcome."""
        rnd = self.random
        self.ts += rnd.expovariate(40)
        agent = min(int(rnd.expovariate(0.12)), len(AGENTS) - 1)
        host = rnd.choice(HOSTS)
        identity = f"5f3a9c1e-{agent % 4}-{self.seq:x}"
        method = rnd.choice(("GET", "GET", "GET", "POST", "PUT"))
        path = self.path()
        request = f', "method": "{method}", "url": "https://{host}{path}"'
        name = AGENTS[agent]
        draw = rnd.random()
        if draw < 0.06:
            yield (head(self.ts, "blocked", agent, host) + request + f', "reason": "{rnd.choice(REASONS)}"' +
                   self.tail(identity) % name)
            return
        yield head(self.ts, "request", agent, host) + request + self.tail(identity) % name
        if draw < 0.08:
            yield (head(self.ts, "error", agent, host) + request + f', "reason": "{rnd.choice(ERRORS)}"' +
                   self.tail(identity) % name)
            return
        status = rnd.choice((200, 200, 200, 200, 201, 204, 304, 404, 429, 500))
        size = int(rnd.lognormvariate(7, 1.6))
        audit = ', "audit": "would_block_in_enforce"' if draw > 0.9 else ""
        headers = '"req_headers": [["Host", "%s"], ["Accept", "*/*"]], "res_headers": [["Content-Type", "application/json"]]' % host
        yield (head(self.ts + 0.2, "allowed", agent, host) + request + f', "status": {status}, "bytes": {size}{audit}, ' +
               headers + f', "addr": "192.0.2.{agent + 1}:443", "rule": "enforce.yaml:{agent + 2} {host}", '
               f'"ms": {rnd.uniform(5, 900):.1f}, "bytes_up": {size // 7}, "bytes_down": {size}' +
               self.tail(identity) % name)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    writer = Writer(options.seed)
    written = 0
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with open(options.output, "w", encoding="ascii", buffering=1 << 20) as log:
        while written < options.lines:
            for line in writer.exchange():
                if written < options.lines:
                    log.write(line)
                    written += 1
    print(f"{written} lines, {options.output.stat().st_size / 2**30:.2f} GiB in {options.output}", file=sys.stderr)


if __name__ == "__main__":
    main()
