"""mitmproxy's part of the comparison: an allowlist that is read at each request, and a line in a log."""

import json
import os
import time

import yaml
from mitmproxy import http

LOG = open(os.environ["BENCH_LOG"], "a", buffering=1)


def is_allowed(host):
    with open(os.environ["BENCH_POLICY"]) as policy:
        entries = yaml.safe_load(policy)["allow"]
    return any(host == entry["host"] or host.endswith("." + entry["host"]) for entry in entries)


def record(flow, event):
    status = flow.response.status_code if flow.response else None
    LOG.write(json.dumps({"ts": time.time(), "event": event, "method": flow.request.method,
                          "url": flow.request.url, "status": status}) + "\n")


def request(flow):
    if not is_allowed(flow.request.pretty_host):
        flow.response = http.Response.make(403, b"not allowed\n")
        record(flow, "blocked")


def response(flow):
    record(flow, "allowed")
