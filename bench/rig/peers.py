"""The proxies that are measured, each with a log line for each request and the origin verified."""

import os
import shutil
from pathlib import Path

from rig.places import BUILD, DNS_ADDRESS, DOMAIN, Program, free_port, run, wait_for_port


class Peer:
    """One proxy. `ca`: what its clients trust. `port`/`plain_port`: of CONNECT and of http://."""

    name = ""
    program = ""  # what has to be installed
    is_direct = False  # a reverse proxy: no CONNECT
    speed = 1.0  # how much of the load it is given: slow ones get a tenth
    leaves_out = ()  # metrics that it cannot do

    def __init__(self, origin, directory):
        self.origin = origin
        self.directory = directory
        self.ca = origin.directory / "proxy-ca.pem"
        self.running = None
        self.port = self.plain_port = 0

    @classmethod
    def is_here(cls):
        return shutil.which(cls.program, path="/usr/sbin:/usr/bin:/sbin:/bin") is not None

    def start(self):
        if self.directory.exists():
            shutil.rmtree(self.directory)
        self.directory.mkdir(parents=True)
        self.directory.chmod(0o755)
        self.port = free_port()
        self.plain_port = self.port
        command, environment = self.command()
        self.running = Program(command, self.directory / "out", self.origin.resolv, environment)
        wait_for_port(self.port, self.running)

    def stop(self):
        if self.running is not None:
            self.running.stop()
            self.running = None

    def command(self):
        raise NotImplementedError


class Leash(Peer):
    name = "leash"
    workers = 1

    @classmethod
    def is_here(cls):
        return (BUILD / "leash").exists()

    def command(self):
        policy = self.directory / "policy"
        policy.mkdir()
        (self.directory / "log").mkdir()
        (policy / "mode").write_text("enforce\n")
        o = self.origin
        (policy / "enforce.yaml").write_text(f"allow:\n  - host: {DOMAIN}\n    ports: [{o.http}, {o.tls}, {o.h2}]\n")
        self.ca = self.directory / "ca" / "leash-ca-cert.pem"
        return [BUILD / "leash", "--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{free_port()}",
                "--policy-dir", policy, "--log", self.directory / "log" / "egress.jsonl", "--ca-dir",
                self.directory / "ca", "--origin-ca", o.directory / "origin-ca.pem", "--allow-origin-network",
                "127.0.0.0/8", "--workers", self.workers], {"LEASH_AUDIT": "write"}


class LeashTwo(Leash):
    name = "leash, 2 workers"
    workers = 2


class Haproxy(Peer):
    """Terminates TLS with minted certificates and encrypts again: no forward proxy, so it is driven directly."""

    name = "HAProxy"
    program = "haproxy"
    is_direct = True

    def command(self):
        o = self.origin
        self.plain_port = free_port()
        (self.directory / "haproxy.cfg").write_text(f"""global
  nbthread 1
  maxconn 9000
  log stdout len 2048 format raw local0
  ssl-server-verify required
  tune.ssl.ssl-ctx-cache-size 20000
  tune.ssl.cachesize 20000
defaults
  mode http
  log global
  timeout connect 10s
  timeout client 900s
  timeout server 900s
  option http-keep-alive
  http-reuse always
  log-format {{"ts":"%t","client":"%ci","host":"%[var(txn.host),json]","method":"%HM","uri":"%[var(txn.uri),json]","status":%ST,"bytes":%B,"ms":%Ta}}
frontend tls
  bind 127.0.0.1:{self.port} ssl crt {o.directory}/proxy-leaf-both.pem ca-sign-file {o.directory}/proxy-ca-both.pem generate-certificates alpn http/1.1
  http-request set-var(txn.host) req.hdr(host)
  http-request set-var(txn.uri) url
  http-request deny unless {{ ssl_fc_sni -m end .{DOMAIN} }}
  default_backend tls
frontend plain
  bind 127.0.0.1:{self.plain_port}
  http-request set-var(txn.host) req.hdr(host)
  http-request set-var(txn.uri) url
  default_backend plain
backend tls
  server o 127.0.0.1:{o.tls} pool-low-conn 4000 ssl sni ssl_fc_sni verify required ca-file {o.directory}/origin-ca.pem
backend plain
  server o 127.0.0.1:{o.http} pool-low-conn 4000
""")
        return ["haproxy", "-db", "-f", self.directory / "haproxy.cfg"], {}


class Squid(Peer):
    name = "Squid"
    program = "squid"
    service = "none"

    def command(self):
        d, o = self.directory, self.origin
        certgen = "/usr/lib/squid/security_file_certgen"
        (d / "squid.conf").write_text(f"""http_port 127.0.0.1:{self.port} ssl-bump generate-host-certificates=on dynamic_cert_mem_cache_size=64MB tls-cert={o.directory}/proxy-ca.pem tls-key={o.directory}/proxy-ca.key
sslcrtd_program {certgen} -s {d}/certificates -M 256MB
sslcrtd_children 5 startup=2 idle=1
tls_outgoing_options cafile={o.directory}/origin-ca.pem
ssl_bump bump all
acl good dstdomain .{DOMAIN}
acl SSL_ports port {o.tls}
http_access allow good
http_access deny all
dns_nameservers {DNS_ADDRESS}
hosts_file none
cache deny all
cache_mem 0
max_filedescriptors 20000
pinger_enable off
shutdown_lifetime 0 seconds
logformat line {{"ts":%ts.%03tu,"client":"%>a","method":"%rm","url":"%"ru","status":%>Hs,"bytes":%<st,"ms":%tr}}
access_log stdio:{d}/access.ndjson logformat=line
buffered_logs on
cache_log {d}/cache.log
cache_store_log none
coredump_dir {d}
pid_filename none
visible_hostname bench
""")
        run(certgen, "-c", "-s", d / "certificates", "-M", "256MB")
        run("chown", "-R", "proxy:", d)  # the user that it makes itself
        # Its shared memory is named after the service, and outlives a Squid that was killed.
        self.service = f"bench{os.getpid()}"
        return ["squid", "-N", "-n", self.service, "-f", d / "squid.conf"], {}

    def stop(self):
        super().stop()
        for left in Path("/dev/shm").glob(f"{self.service}-*"):
            left.unlink()


class Mitmproxy(Peer):
    name = "mitmproxy"
    program = "mitmdump"
    speed = 0.1

    def command(self):
        d, o = self.directory, self.origin
        (d / "conf").mkdir()
        (d / "conf" / "mitmproxy-ca.pem").write_bytes((o.directory / "proxy-ca-both.pem").read_bytes())
        (d / "policy.yaml").write_text(f"allow:\n  - host: {DOMAIN}\n")
        return ["mitmdump", "-q", "--listen-host", "127.0.0.1", "-p", self.port, "--set", f"confdir={d}/conf", "--set",
                f"ssl_verify_upstream_trusted_ca={o.directory}/origin-ca.pem", "-s",
                __file__.replace("peers.py", "mitmproxy_gate.py")], {"BENCH_POLICY": str(d / "policy.yaml"),
                                                                     "BENCH_LOG": str(d / "access.ndjson")}


class Tinyproxy(Peer):
    """Passes tunnels through and looks into nothing: what a tunnel costs at all."""

    name = "tinyproxy (no TLS)"
    program = "tinyproxy"
    leaves_out = ("plain",)  # it closes after each answer

    def __init__(self, origin, directory):
        super().__init__(origin, directory)
        self.ca = origin.directory / "origin-ca.pem"

    def command(self):
        d = self.directory
        (d / "tinyproxy.conf").write_text(f"""Port {self.port}
Listen 127.0.0.1
Timeout 900
MaxClients 6000
Allow 127.0.0.1
LogFile "{d}/access.log"
LogLevel Connect
PidFile "{d}/pid"
DisableViaHeader Yes
""")
        return ["sh", "-c", f"ulimit -s 256; exec tinyproxy -d -c {d}/tinyproxy.conf"], {}


class Nghttpx(Peer):
    """A reverse proxy that terminates TLS and encrypts again, HTTP/2 on both sides."""

    name = "nghttpx"
    program = "nghttpx"
    is_direct = True

    def command(self):
        d, o = self.directory, self.origin
        return ["nghttpx", "--single-process", "--workers=1", f"--frontend=127.0.0.1,{self.port}",
                f"--backend=127.0.0.1,{o.h2};;proto=h2;tls;sni=h0.{DOMAIN}", f"--cacert={o.directory}/origin-ca.pem",
                f"--accesslog-file={d}/access.log", "--no-ocsp", o.directory / "proxy-leaf.key",
                o.directory / "proxy-leaf.pem"], {}


FORWARD = [Leash, Haproxy, Squid, Tinyproxy, Mitmproxy]
