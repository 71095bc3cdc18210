"""The origin that all proxies are measured against: nginx with HTTP, HTTPS and HTTP/2, a PKI, a name server."""

import os

from rig.places import DNS_ADDRESS, DOMAIN, Program, free_port, run, wait_for_port

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")

NGINX = """load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
user root;
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log warn;
events {{ worker_connections 9000; multi_accept on; }}
http {{
  access_log off;
  default_type application/octet-stream;
  sendfile on;
  tcp_nodelay on;
  open_file_cache max=100 inactive=1h;
  open_file_cache_valid 1h;
  keepalive_timeout 900s;
  keepalive_requests 1000000000;
  http2_max_requests 1000000000;
  client_max_body_size 0;
  client_body_buffer_size 120m;
  client_body_temp_path {dir}/tmp;
  proxy_temp_path {dir}/tmp;
  fastcgi_temp_path {dir}/tmp;
  uwsgi_temp_path {dir}/tmp;
  scgi_temp_path {dir}/tmp;
  ssl_certificate {dir}/origin.pem;
  ssl_certificate_key {dir}/origin.key;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:S:64m;
  server {{
    listen 127.0.0.1:{http} backlog=8192;
    listen 127.0.0.1:{tls} ssl backlog=8192;
    listen 127.0.0.1:{h2} ssl http2 backlog=8192;
    root {dir}/www;
    location = /echo {{ echo_read_request_body; echo_request_body; }}
    location = /sink {{ echo_read_request_body; echo -n ok; }}
  }}
}}
"""


class Origin:
    SIZES = {"1k": 1024, "64k": 65536, "10m": 10 << 20, "100m": 100 << 20}

    def __init__(self, directory):
        self.directory = directory
        self.http, self.tls, self.h2 = free_port(), free_port(), free_port()
        self.make_pki()
        www = directory / "www"
        www.mkdir()
        (directory / "tmp").mkdir()
        for name, size in self.SIZES.items():
            (www / name).write_bytes(os.urandom(size))
        (directory / "nginx.conf").write_text(NGINX.format(dir=directory, http=self.http, tls=self.tls, h2=self.h2))
        self.resolv = directory / "resolv.conf"
        self.resolv.write_text(f"nameserver {DNS_ADDRESS}\noptions timeout:2 attempts:2\n")
        self.nginx = Program(["nginx", "-c", directory / "nginx.conf", "-p", directory, "-g", "daemon off;"],
                             directory / "nginx.out")
        self.dns = Program(["dnsmasq", "-k", "-C", "/dev/null", "--no-hosts", "--no-resolv", "--bind-interfaces",
                            f"--listen-address={DNS_ADDRESS}", "--port=53", f"--address=/{DOMAIN}/127.0.0.1",
                            f"--local=/{DOMAIN}/", "--pid-file=", "--user=root", "--dns-forward-max=2000"],
                           directory / "dnsmasq.out")
        wait_for_port(self.tls, self.nginx)

    def make_pki(self):
        d = self.directory
        for name in ("origin-ca", "proxy-ca"):
            run("openssl", "req", "-x509", *EC, "-nodes", "-keyout", d / f"{name}.key", "-out", d / f"{name}.pem",
                "-days", "30", "-subj", f"/O=bench/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign")
            self.join(name)
        for name, ca in (("origin", "origin-ca"), ("proxy-leaf", "proxy-ca")):
            run("openssl", "req", *EC, "-nodes", "-keyout", d / f"{name}.key", "-out", d / f"{name}.csr",
                "-subj", f"/CN={DOMAIN}")
            (d / f"{name}.ext").write_text("basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
                                           f"subjectAltName=DNS:*.{DOMAIN},DNS:{DOMAIN},IP:127.0.0.1\n")
            run("openssl", "x509", "-req", "-in", d / f"{name}.csr", "-CA", d / f"{ca}.pem", "-CAkey", d / f"{ca}.key",
                "-CAcreateserial", "-sha256", "-days", "30", "-extfile", d / f"{name}.ext", "-out", d / f"{name}.pem")
            self.join(name)

    def join(self, name):
        both = self.directory / f"{name}-both.pem"
        both.write_bytes((self.directory / f"{name}.pem").read_bytes() + (self.directory / f"{name}.key").read_bytes())

    def stop(self):
        self.nginx.stop()
        self.dns.stop()
