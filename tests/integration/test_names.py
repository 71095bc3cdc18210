"""Who is being talked to: one canonical authority, or no request (docs/THREATS.md, names)."""

import ssl

import pytest

from support.http import Closed
from support.wait import wait_until
from support.world import Way, marker

MODES = ["enforce", "audit", "blocklist"]


@pytest.fixture(scope="module")
def leashes(module_leash, world):
    made = {}

    def get(mode):
        if mode not in made:
            made[mode] = module_leash(mode=mode, **world.options())
        return made[mode]
    return get


def refused_connect(leash, target, statuses=(400,), host=None):
    """A CONNECT that must be refused with an error line; returns the answer."""
    since = leash.log.mark()
    with leash.connect() as conn:
        answer = conn.ask(f"CONNECT {target} HTTP/1.1\r\nHost: {host or target}\r\n\r\n", "CONNECT")
        assert answer.status in statuses, (target, answer)
        assert answer.body.startswith(b"leash: ") and answer.get("content-type") == "text/plain"
    line = leash.log.wait_for(since, event=lambda event: event in ("error", "blocked"))
    assert line["client"] == "127.0.0.1" and line["reason"], line
    return answer


@pytest.mark.parametrize("mode", ["enforce", "blocklist"])
def test_host_of_another_site_inside_the_tunnel(leashes, world, mode):
    """1: domain fronting."""
    leash = leashes(mode)
    word, since = marker(), leash.log.mark()
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        answer = conn.get(f"/{word}", world.DENIED)
        assert answer.status == 421 and b"name_mismatch" in answer.body
        assert conn.is_at_end()
    assert not world.tls.saw(word) and world.saw_nothing_denied()
    line = leash.log.wait_for(since, reason=lambda reason: reason and reason.startswith("name_mismatch"))
    assert line["event"] in ("blocked", "error") and line["host"] == world.ALLOWED
    assert word in line["url"]


@pytest.mark.parametrize("mode", ["enforce", "blocklist"])
def test_host_with_another_port_inside_the_tunnel(leashes, world, mode):
    leash = leashes(mode)
    word, since = marker(), leash.log.mark()
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        assert conn.get(f"/{word}", f"{world.ALLOWED}:{world.plain.port}").status == 421
    assert not world.tls.saw(word) and not world.plain.saw(word)
    leash.log.wait_for(since, reason=lambda reason: reason and reason.startswith("name_mismatch"))


def test_host_of_another_site_in_audit_mode_passes_and_is_told(leashes, world):
    leash = leashes("audit")
    word, since = marker(), leash.log.mark()
    with leash.tunnel(world.ALLOWED, world.tls.port) as conn:
        assert conn.get(f"/{word}", world.DENIED).status == 200
    assert world.tls.requests_for(f"/{word}") and world.saw_nothing_denied()
    line = leash.log.wait_for(since, event="allowed", url=lambda url: url and word in url)
    assert line["host"] == world.ALLOWED and world.DENIED in line["names"]


@pytest.mark.parametrize("mode", ["enforce", "blocklist"])
def test_sni_of_another_site(leashes, world, mode):
    """2: in TLS's own words: unrecognized_name."""
    leash = leashes(mode)
    since = leash.log.mark()
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        leash.tunnel(world.ALLOWED, world.tls.port, sni=world.DENIED)
    line = leash.log.wait_for(since, reason=lambda reason: reason and "name_mismatch" in reason)
    assert line["event"] in ("blocked", "error") and line["host"] == world.ALLOWED
    assert world.saw_nothing_denied()


def test_sni_of_another_site_in_audit_mode_passes_and_is_told(leashes, world):
    leash = leashes("audit")
    word, since = marker(), leash.log.mark()
    with leash.tunnel(world.ALLOWED, world.tls.port, sni=world.DENIED) as conn:
        names = [value for kind, value in conn.sock.getpeercert()["subjectAltName"]]
        assert names == [world.ALLOWED]  # minted for what policy allowed, nothing else
        assert conn.get(f"/{word}", world.tls_authority).status == 200
    line = leash.log.wait_for(since, event="allowed", url=lambda url: url and word in url)
    assert world.DENIED in line["names"] and line["sni"] == world.DENIED
    assert world.saw_nothing_denied()


@pytest.mark.parametrize("mode", MODES)
def test_absolute_form_against_host(leashes, world, mode):
    """4: the target would win (RFC 9112 s. 3.2.2), but from an agent a mismatch is an attack."""
    leash = leashes(mode)
    word, since = marker(), leash.log.mark()
    with leash.connect() as conn:
        answer = conn.get(f"http://{world.plain_authority}/{word}", world.denied_plain_authority)
        assert answer.status == 400
        assert conn.is_at_end()
    assert not world.plain.saw(word) and world.saw_nothing_denied()
    leash.log.wait_for(since, event="error", reason=lambda reason: reason and "host_mismatch" in reason)


@pytest.mark.parametrize("mode", MODES)
def test_https_in_clear_text_is_neither_upgraded_nor_downgraded(leashes, world, mode):
    leash = leashes(mode)
    word = marker()
    with leash.connect() as conn:
        answer = conn.get(f"https://{world.tls_authority}/{word}", world.tls_authority)
        assert 400 <= answer.status < 500
    assert not world.tls.saw(word) and not world.plain.saw(word)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scheme", ["ftp", "file", "gopher", "ws", "javascript"])
def test_other_schemes(leashes, world, mode, scheme):
    leash = leashes(mode)
    word = marker()
    with leash.connect() as conn:
        assert conn.get(f"{scheme}://{world.plain_authority}/{word}", world.plain_authority).status == 400
    assert not world.plain.saw(word)


BAD_TARGETS = {
    # 6: userinfo
    "userinfo": "allow.test@deny.test:443",
    "userinfo with password": "allow.test:443@deny.test:443",
    # 7, 8, 10, 11: spelling
    "two trailing dots": "allow.test..:443",
    "only a dot": ".:443",
    "leading dot": ".allow.test:443",
    "empty label": "allow..test:443",
    "name in brackets": "[allow.test]:443",
    "double brackets": "[[::1]]:443",
    "bracket not closed": "[::1:443",
    "IPv6 without brackets": "::1:443",
    "zone id": "[fe80::1%25eth0]:443",
    "zone id of loopback": "[::1%lo]:443",
    "UTF-8": "b\xc3\xbccher.test:443",
    "full-width": "\xef\xbd\x84eny.test:443",
    "ideographic full stop": "deny\xe3\x80\x82test:443",
    "percent escape": "%64eny.test:443",
    "percent NUL": "deny.test%00.allow.test:443",
    "NUL": "deny.test\x00.allow.test:443",
    "DEL": "deny.test\x7f:443",
    "bad A-label": "xn--a\x2d-.test:443",
    "star": "*.allow.test:443",
    "slash": "allow.test/x:443",
    "query": "allow.test?x:443",
    "fragment": "allow.test#x:443",
    "backslash": "allow.test\\x:443",
    "quote": "allow.test\":443",
    "script": "<script>alert(1)</script>:443",
    "label of 64": "a" * 64 + ".test:443",
    "name of 254": ".".join(["a" * 49] * 5) + ".test:443",
    # 15: ports
    "no port": "allow.test",
    "empty port": "allow.test:",
    "port 0": "allow.test:0",
    "port 65536": "allow.test:65536",
    "port with plus": "allow.test:+443",
    "port with zero in front": "allow.test:0443",
    "port in hex": "allow.test:0x1bb",
    "port with blank": "allow.test:443\t",
    "port twice": "allow.test:443:443",
    "port beyond 64 bits": "allow.test:18446744073709552059",
    "absolute-form": "https://allow.test/",
    "origin-form": "/",
    "no host": ":443",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", BAD_TARGETS)
def test_bad_connect_target(leashes, world, dns, name, mode):
    asked = len(dns.queries)
    refused_connect(leashes(mode), BAD_TARGETS[name], host=world.ALLOWED)
    assert world.saw_nothing_denied()
    assert len(dns.queries) == asked


ODD_IPV4 = ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "127.0.1", "127.0.0.1.", "127.0.0.01",
            "0127.0.0.1", "127.0.0.256", "1.2.3.4.5", "127.0.0.0x1"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("host", ODD_IPV4)
def test_other_spellings_of_ipv4(leashes, world, dns, host, mode):
    """25: a host whose last label is a number is a strict dotted quad or nothing."""
    leash = leashes(mode)
    asked = len(dns.queries)
    since = leash.log.mark()
    before = world.tls.connections
    with leash.connect() as conn:
        answer = conn.connect(f"{host}:{world.tls.port}")
        # one trailing dot is canonical: then it is the address itself, judged as such
        assert answer.status == 400 or (host == "127.0.0.1." and mode == "enforce" and answer.status == 403) or (
            host == "127.0.0.1." and answer.status == 200), answer
    if answer.status != 200:
        assert world.tls.connections == before
        leash.log.wait_for(since, event=lambda event: event in ("error", "blocked"))
    else:
        # the kernel connects before the origin counts: the next case must not see this one come
        wait_until(lambda: world.tls.connections > before)
    assert len(dns.queries) == asked


@pytest.mark.parametrize("target", ["http://allow.test@{D}/", "http://allow.test:80@{D}/", "http://[{D}]/",
                                    "http://{D}\\@allow.test/", "http:/{D}/", "http://", "http:///x", "{D}/",
                                    "http://{D}%2f@allow.test/", "*"])
def test_bad_absolute_target(leashes, world, dns, target):
    leash = leashes("audit")
    asked = len(dns.queries)
    since = leash.log.mark()
    with leash.connect() as conn:
        authority = world.denied_plain_authority
        answer = conn.ask(f"GET {target.replace('{D}', authority)} HTTP/1.1\r\nHost: {authority}\r\n\r\n")
        assert answer.status == 400
    leash.log.wait_for(since, event="error")
    assert world.denied_plain.connections == 0
    assert len(dns.queries) == asked


@pytest.mark.parametrize("spelling", ["deny.test.", "DENY.TEST", "DeNy.TeSt.", "sub.deny.test", "SUB.deny.test."])
def test_blocked_host_in_other_spellings(leashes, world, spelling):
    """7, 9: where the block list decides, no spelling misses it."""
    leash = leashes("blocklist")
    since = leash.log.mark()
    canonical = spelling.lower().rstrip(".")
    with leash.connect() as conn:
        answer = conn.connect(f"{spelling}:{world.denied_tls.port}")
        assert answer.status == 403
        assert answer.body == f"leash: {canonical}:{world.denied_tls.port} blocked (in_blocklist)\n".encode()
        answer = conn.get(f"http://{spelling}:{world.denied_plain.port}/x", f"{spelling}:{world.denied_plain.port}")
        assert answer.status == 403
    lines = leash.log.wait_for(since, count=2, event="blocked", reason="in_blocklist")
    assert [line["host"] for line in lines] == [canonical, canonical]
    assert world.saw_nothing_denied()


@pytest.mark.parametrize("connect,sni,host", [("ALLOW.test", "allow.TEST", "AlLoW.TeSt"), ("allow.test.", "allow.test", "allow.test."),
                                              ("allow.test", "allow.test", "allow.test.")])
def test_allowed_host_in_other_spellings(leashes, world, connect, sni, host):
    """One authority: the origin sees the canonical name whatever the client wrote."""
    leash = leashes("enforce")
    word, since = marker(), leash.log.mark()
    with leash.tunnel(connect, world.tls.port, sni=sni) as conn:
        assert conn.get(f"/{word}", f"{host}:{world.tls.port}").status == 200
    assert world.tls.requests_for(f"/{word}")[0].all("host") == [world.tls_authority]
    line = leash.log.wait_for(since, event="allowed", url=lambda url: url and word in url)
    assert line["host"] == world.ALLOWED


BOUNDARIES = [("x.test", True), ("a.x.test", True), ("a.b.x.test", True), ("evilx.test", False), ("x.test.evil.test", False),
              ("test", False), ("b.apex.test", True), ("apex.test", True), ("napex.test", False)]


def test_subdomain_boundaries(make_leash, world, dns):
    """12: `*.x.test` and `x.test` mean the name and what is below it, at a dot."""
    entries = [{"host": "*.x.test", "ports": [world.tls.port]}, {"host": "apex.test", "ports": [world.tls.port]}]
    hosts = {name: "127.0.0.1" for name, _ in BOUNDARIES}
    leash = make_leash(mode="enforce", allow=entries, block=entries, hosts=hosts)
    for mode in ("enforce", "blocklist"):
        leash.set_mode(mode)
        for name, is_match in BOUNDARIES:
            with leash.connect() as conn:
                answer = conn.connect(f"{name}:{world.tls.port}")
                assert answer.status == (200 if is_match == (mode == "enforce") else 403), (mode, name, answer)


def test_unicode_rule_matches_the_a_label(make_leash, world):
    """10: rules may be written in Unicode; on the wire there are A-labels only."""
    leash = make_leash(mode="enforce", allow=[{"host": "Bücher.test", "ports": [world.plain.port]}],
                       hosts={"xn--bcher-kva.test": "127.0.0.1"})
    authority = f"xn--bcher-kva.test:{world.plain.port}"
    word = marker()
    with leash.connect() as conn:
        assert conn.get(f"http://{authority}/{word}", authority).status == 200
    assert world.plain.saw(word)


def test_ports_are_those_of_the_rule(make_leash, world):
    """15: a rule without ports means 443."""
    leash = make_leash(mode="enforce", allow=[{"host": world.ALLOWED}], hosts=world.hosts)
    for port in (22, 25, 80, 444, 6379, world.tls.port):
        with leash.connect() as conn:
            answer = conn.connect(f"{world.ALLOWED}:{port}")
            assert answer.status == 403
            assert answer.body == f"leash: allow.test:{port} blocked (not_in_allowlist)\n".encode()
    with leash.connect() as conn:
        answer = conn.get(f"http://{world.plain_authority}/", world.plain_authority)
        assert answer.status == 403


def test_denied_name_is_never_resolved(leashes, dns):
    """29: the question to the name server would be egress already."""
    leash = leashes("enforce")
    with leash.connect() as conn:
        assert conn.connect("secret-data.exfil.test:443").status == 403
        assert conn.get("http://secret-data.exfil.test/", "secret-data.exfil.test").status == 403
    assert not dns.asked("secret-data.exfil.test")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("hello", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00\x01\x02\x03" * 8, b"EHLO allow.test\r\n",
                                   b"\x16\x03\x01\xff\xff" + b"\xff" * 64, b"\x05\x01\x00"], ids=repr)
def test_tunnel_carries_tls_or_http_only(leashes, world, mode, hello):
    """16: after CONNECT anything else is refused and told."""
    leash = leashes(mode)
    since = leash.log.mark()
    with leash.connect() as conn:
        assert conn.connect(world.tls_authority).status == 200
        conn.send(hello)
        conn.read_to_end()
    line = leash.log.wait_for(since, event=lambda event: event in ("error", "blocked"), host=world.ALLOWED)
    assert line["reason"]
    assert not any(bytes(peer.received).startswith(hello[:4]) for peer in world.tls.peers)


def test_not_http_is_called_so(leashes, world):
    leash = leashes("enforce")
    since = leash.log.mark()
    with leash.connect() as conn:
        conn.connect(world.tls_authority)
        conn.send(b"SSH-2.0-OpenSSH_9.2\r\n")
        conn.read_to_end()
    leash.log.wait_for(since, reason=lambda reason: reason and "not_http" in reason)


def test_clear_http_inside_a_tunnel_is_treated_like_any(leashes, world):
    leash = leashes("enforce")
    word, since = marker(), leash.log.mark()
    with leash.connect() as conn:
        assert conn.connect(world.plain_authority).status == 200
        assert conn.get(f"/{word}", world.plain_authority).status == 200
        assert conn.get(f"/{word}", world.denied_plain_authority).status == 421
    assert len(world.plain.requests_for(f"/{word}")) == 1 and world.saw_nothing_denied()
    line = leash.log.wait_for(since, event="allowed", url=lambda url: url and word in url)
    assert line["url"].startswith("http://")


@pytest.mark.parametrize("via", ["plain", "tunnel"])
def test_connect_inside_a_tunnel(leashes, world, via):
    """17: no proxy behind the proxy."""
    leash = leashes("enforce")
    since = leash.log.mark()
    if via == "tunnel":
        conn = leash.tunnel(world.ALLOWED, world.tls.port)
    else:
        conn = leash.connect()
        assert conn.connect(world.plain_authority).status == 200
    answer = conn.connect(world.denied_tls_authority)
    assert answer.status in (400, 405, 421, 501)
    conn.close()
    leash.log.wait_for(since, event=lambda event: event in ("error", "blocked"), reason=lambda reason: bool(reason))
    assert not world.tls.saw("CONNECT") and not world.plain.saw("CONNECT")
    assert world.saw_nothing_denied()


def test_leash_is_no_way_to_leash(make_leash, world):
    """18, 94: neither its own listener nor the admin port can be reached through it, whatever the rules say."""
    leash = make_leash(mode="audit", starts=False, **world.options())
    leash.write_hosts(dict(world.hosts, **{"me.test": "127.0.0.1"}))
    leash.start()
    ports = (leash.address[1], leash.admin[1])
    leash.set_allow([{"host": host, "ports": list(ports), "networks": ["127.0.0.0/8"]}
                     for host in ("127.0.0.1", "me.test", "localhost")])
    for mode in MODES:
        leash.set_mode(mode)
        for port in ports:
            for host in ("127.0.0.1", "localhost", "me.test"):
                since = leash.log.mark()
                with leash.connect() as conn:
                    answer = conn.connect(f"{host}:{port}")
                    assert answer.status == 403, (mode, host, port, answer)
                    assert answer.body == f"leash: {host}:{port} blocked (address_not_allowed)\n".encode()
                leash.log.wait_for(since, event="blocked", reason="address_not_allowed", host=host, port=port)
                with leash.connect() as conn:
                    assert conn.get(f"http://{host}:{port}/metrics", f"{host}:{port}").status == 403


def test_denial_page_says_nothing_the_client_could_plant(leashes):
    """98: plain text, and only the canonical name."""
    leash = leashes("enforce")
    with leash.connect() as conn:
        answer = conn.get("http://evil.test/<script>alert(1)</script>", "evil.test")
        assert answer.status in (400, 403) and answer.get("content-type") == "text/plain"


def test_origin_form_on_the_proxy_port_goes_nowhere_unchecked(leashes, world):
    """Not a proxy request: refused, or judged by its Host like any other."""
    leash = leashes("enforce")
    with leash.connect() as conn:
        try:
            assert conn.get("/x", world.denied_plain_authority).status in (400, 403, 404, 421)
        except Closed:
            pass
    assert world.saw_nothing_denied()


def test_forged_forwarding_fields_do_not_change_who_the_client_is(leashes, world):
    """95: identity comes from the socket."""
    leash = leashes("enforce")
    since = leash.log.mark()
    word = marker()
    way = Way(leash, world, "plain")
    answer = way.conn.get(way.target(f"/{word}"), way.host, headers=[
        ("X-Forwarded-For", "10.9.8.7"), ("Forwarded", "for=10.9.8.7"), ("X-Real-IP", "10.9.8.7")])
    assert answer.status == 200
    way.conn.close()
    assert leash.log.wait_for(since, event="allowed", url=lambda url: url and word in url)["client"] == "127.0.0.1"
    with leash.connect() as conn:
        conn.send("PROXY TCP4 10.9.8.7 127.0.0.1 1 2\r\n" + f"GET http://{way.host}/{word}p HTTP/1.1\r\nHost: {way.host}\r\n\r\n")
        assert conn.response().status == 400
    assert not world.plain.saw(word + "p")
