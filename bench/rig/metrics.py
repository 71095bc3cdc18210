"""What is measured: the load of each metric, the figure that counts, and how it is to compare."""

import json
import subprocess
import time

from rig.places import BUILD, DOMAIN, Program, free_port, run, wait_for_port


class Metric:
    """`flags` of the load generator; `figure` of its answer; `per`: what one figure is divided by (100 MB ...)."""

    def __init__(self, key, title, flags, figure="cpu_us", divide=1, target=None, plain=False, fixed=False, fresh=False):
        self.key, self.title, self.flags, self.figure, self.divide = key, title, flags, figure, divide
        self.target = target  # (peer, factor): leash at most factor x that peer; or a plain number
        self.is_plain = plain
        self.is_fixed = fixed  # so many requests, and not for a time
        self.needs_fresh_process = fresh

    def command(self, peer, options, repetition):
        origin = peer.origin
        seconds = options.seconds
        command = [BUILD / "bench" / "load", "--pattern", f"h%d.{DOMAIN}", "--pid", peer.running.pid, "--timeout", 60]
        if self.is_plain:
            command += ["--proxy", f"127.0.0.1:{peer.plain_port}", "--plain", "--port", origin.http]
        else:
            command += ["--proxy", f"127.0.0.1:{peer.port}", "--ca", peer.ca, "--port", origin.tls]
        if peer.is_direct:
            command.append("--direct")
        if not self.is_fixed:
            command += ["--seconds", seconds, "--warm-up", min(1, seconds / 4)]
        flags = [flag.format(mint=int(options.mint * peer.speed), first=10000 * (repetition + 1), idle=options.idle,
                             **self.bulk(peer)) for flag in self.flags.split()]
        return [str(word) for word in command + flags]

    @staticmethod
    def bulk(peer):
        # mitmproxy holds bodies, and Squid 5 breaks off most long uploads: they get a tenth.
        is_small = peer.speed < 1
        return {"down": "/10m" if is_small else "/100m", "down_bytes": (10 if is_small else 100) << 20,
                "up_bytes": (10 if is_small or peer.name == "Squid" else 100) << 20}

    def measure(self, peer, options, repetition):
        done = subprocess.run(self.command(peer, options, repetition), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=600)
        if done.returncode != 0:
            return {"failed": done.stderr.decode(errors="replace")}
        result = json.loads(done.stdout)
        mb = {"down": self.bulk(peer)["down_bytes"], "up": self.bulk(peer)["up_bytes"]}.get(self.key, 0) / (1 << 20)
        result["value"] = result[self.figure] / (mb or self.divide)
        if self.key == "idle":
            result["value"] = result["grown_kib"] / max(result["answers"], 1)
        return result


METRICS = [
    Metric("new", "new intercepted connection, origin pooled, CPU-us", "--mode new --connections 16 --names 16",
           target=("HAProxy", 0.85)),
    Metric("resumed", "the same, client resumes its TLS session", "--mode new --connections 16 --names 16 --resume",
           target=("HAProxy", 0.85)),
    Metric("mint", "first connection to a name never seen, CPU-us",
           "--mode mint --connections 8 --requests {mint} --first-name {first}", target=("HAProxy", 0.65), fixed=True),
    Metric("kept", "kept-alive GET of 1 KiB, CPU-us", "--mode kept --connections 32 --names 32", target=("HAProxy", 0.9)),
    Metric("kept64", "kept-alive GET of 64 KiB, CPU-us",
           "--mode kept --connections 32 --names 32 --path /64k --expect 65536", target=("HAProxy", 0.85)),
    Metric("down", "download, one tunnel, CPU-us/MiB",
           "--mode bulk --connections 1 --requests 3 --path {down} --expect {down_bytes}", target=("HAProxy", 0.75),
           fixed=True),
    Metric("up", "upload, one tunnel, CPU-us/MiB",
           "--mode bulk --connections 1 --requests 3 --path /sink --post {up_bytes} --expect 2", target=("HAProxy", 0.75),
           fixed=True),
    Metric("echo", "POST echo of 20 kB, CPU-us", "--mode kept --connections 8 --names 8 --path /echo --post 20000 --echo",
           target=("HAProxy", 1.0)),
    Metric("plain", "plain http:// kept alive, CPU-us", "--mode kept --connections 32 --names 32", target=("HAProxy", 1.2),
           plain=True),
    Metric("rate", "kept-alive GET of 1 KiB, requests/s", "--mode kept --connections 32 --names 32", figure="per_second"),
    Metric("lone", "one lone new connection, p50 us", "--mode new --connections 1 --names 1", figure="p50_us"),
    Metric("paced", "200 requests/s on kept tunnels, p50 us", "--mode paced --connections 32 --names 32 --rate 200",
           figure="p50_us"),
    Metric("paced99", "the same, p99 us", "--mode paced --connections 32 --names 32 --rate 200", figure="p99_us"),
    Metric("idle", "intercepted idle tunnel, KiB of RSS", "--mode idle --connections 16 --names 40 --requests {idle}",
           target=12, fixed=True, fresh=True),
]
QUICK = ["new", "mint", "kept", "plain", "idle"]


def measure_h2(peer, options):
    """h2load, 100 streams on each of 4 connections, HTTP/2 to the origin too. It speaks no CONNECT: socat does."""
    origin = peer.origin
    port, tunnel = peer.port, None
    try:
        if not peer.is_direct:
            port = free_port()
            tunnel = Program(["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr",
                              f"PROXY:127.0.0.1:h0.{DOMAIN}:{origin.h2},proxyport={peer.port}"],
                             peer.directory / "socat.out")
            wait_for_port(port, tunnel)
        command = ["h2load", "-c", 4, "-m", 100, f"--connect-to=127.0.0.1:{port}",
                   f"https://h0.{DOMAIN}:{origin.h2}/1k"]
        run(*command, "-n", 2000)
        count = int(10000 * options.seconds)
        before = cpu_seconds(peer.running.pid)
        text = run(*command, "-n", count)
        cpu = cpu_seconds(peer.running.pid) - before
        if f"{count} succeeded" not in text:
            return {"failed": text}
        return {"value": cpu * 1e6 / count, "answers": count, "errors": 0}
    finally:
        if tunnel is not None:
            tunnel.stop()


def cpu_seconds(pid):
    # clock_getcpuclockid() of a process, as glibc makes it; not of those below it, which have nothing to do with HTTP/2.
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9
