"""Where the bytes go: what a name resolves to is judged, and what was judged is dialled (docs/THREATS.md, addresses)."""

import socket

import pytest

from support.dns import Cname
from support.origin import reply
from support.wait import wait_until
from support.world import marker

MODES = ["enforce", "audit", "blocklist"]

# 22, 23, 26: all of these in every mode
NOT_PUBLIC = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "169.254.1.1", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1",
    "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "168.63.129.16", "100.100.100.200",
    "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "::ffff:169.254.169.254",
    "::ffff:127.0.0.1", "::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::",
    "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "100::1",
]


def bracketed(address):
    return f"[{address}]" if ":" in address else address


def canonical(address):
    """As people see it in the log: RFC 5952."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_ntop(family, socket.inet_pton(family, address))


@pytest.fixture(scope="module")
def guarded(module_leash, world):
    """No network is opened. Each address also has a name."""
    hosts = {f"n{index}.test": address for index, address in enumerate(NOT_PUBLIC)}
    allow = [{"host": name, "ports": [443, 80]} for name in hosts]
    return module_leash(mode="audit", networks=(), hosts=hosts, allow=allow)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_address_literal_is_refused(guarded, address):
    since = guarded.log.mark()
    with guarded.connect() as conn:
        answer = conn.connect(f"{bracketed(address)}:443")
        assert answer.status == 403, answer
        assert answer.body.endswith(b":443 blocked (address_not_allowed)\n")
        answer = conn.get(f"http://{bracketed(address)}/x", bracketed(address))
        assert answer.status == 403, answer
    lines = guarded.log.wait_for(since, count=2, event="blocked", reason="address_not_allowed")
    assert lines[1]["method"] == "GET"
    assert not guarded.log.lines(event="connect_allowed")


@pytest.mark.parametrize("index", range(len(NOT_PUBLIC)), ids=NOT_PUBLIC)
def test_name_that_resolves_there_is_refused_in_every_mode(guarded, index):
    """Allowed by name in all modes: a name never lifts the guard by itself."""
    name = f"n{index}.test"
    for mode in MODES:
        guarded.set_mode(mode)
        since = guarded.log.mark()
        with guarded.connect() as conn:
            answer = conn.connect(f"{name}:443")
            assert answer.status == 403, (mode, answer)
            assert answer.body == f"leash: {name}:443 blocked (address_not_allowed)\n".encode()
        guarded.log.wait_for(since, event="blocked", reason="address_not_allowed", host=name)
    guarded.set_mode("audit")


def test_an_entry_opens_networks_for_its_host_only(make_leash, world):
    entries = [{"host": "in.test", "ports": [world.plain.port], "networks": ["127.0.0.0/8"]},
               {"host": "out.test", "ports": [world.plain.port]},
               {"host": "elsewhere.test", "ports": [world.plain.port], "networks": ["10.0.0.0/8"]}]
    names = ("in.test", "out.test", "elsewhere.test")
    leash = make_leash(mode="enforce", networks=(), allow=entries, hosts={name: "127.0.0.1" for name in names})
    before = world.plain.connections
    for name, status in zip(names, (200, 403, 403)):
        with leash.connect() as conn:
            authority = f"{name}:{world.plain.port}"
            assert conn.get(f"http://{authority}/", authority).status == status
    assert world.plain.connections == before + 1


def test_an_address_as_host_covers_that_very_address(make_leash, world):
    leash = make_leash(mode="enforce", networks=(), hosts={"name.test": "127.0.0.1"}, allow=[
        {"host": "127.0.0.1", "ports": [world.plain.port]}, {"host": "name.test", "ports": [world.plain.port]}])
    with leash.connect() as conn:
        authority = f"127.0.0.1:{world.plain.port}"
        assert conn.get(f"http://{authority}/", authority).status == 200
        authority = f"name.test:{world.plain.port}"
        assert conn.get(f"http://{authority}/", authority).status == 403
        authority = f"127.0.0.2:{world.plain.port}"
        assert conn.get(f"http://{authority}/", authority).status == 403


def test_metadata_service_needs_its_own_address(make_leash):
    """A network that covers it does not open it."""
    leash = make_leash(mode="enforce", networks=("169.254.0.0/16",), hosts={"meta.test": "169.254.169.254"}, allow=[
        {"host": "meta.test", "ports": [80], "networks": ["169.254.0.0/16"]}])
    with leash.connect() as conn:
        answer = conn.get("http://meta.test/latest/meta-data/", "meta.test")
        assert answer.status == 403 and b"address_not_allowed" in answer.body


@pytest.fixture
def two_addresses(make_origin):
    """The same port on an allowed and on a denied address."""
    for _ in range(50):
        good = make_origin()
        try:
            bad = make_origin(address="127.0.0.2", port=good.port)
            return good, bad
        except OSError:
            continue
    raise AssertionError("no port that is free on both addresses")


def test_denied_address_among_the_answers_is_never_dialled(make_leash, two_addresses):
    """20: mixed answers."""
    good, bad = two_addresses
    for order in (["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]):
        leash = make_leash(mode="audit", networks=("127.0.0.1/32",), hosts={"mixed.test": order})
        for _ in range(5):
            with leash.connect() as conn:
                authority = f"mixed.test:{good.port}"
                answer = conn.get(f"http://{authority}/", authority)
                assert answer.status in (200, 403)
    assert bad.connections == 0


@pytest.mark.parametrize("mode", MODES)
def test_alias_leads_where_its_address_may_be_reached(make_leash, dns, two_addresses, mode):
    """17: policy is on the name that was asked for, the guard on the addresses at the end of the chain; the names between
    are neither judged nor let anything in by themselves."""
    good, bad = two_addresses
    dns.records.update({"alias.test": Cname("middle.test"), "middle.test": Cname("deny.test"), "deny.test": ["127.0.0.1"],
                        "trap.test": Cname("inside.test"), "inside.test": ["127.0.0.2"]})
    leash = make_leash(mode=mode, networks=("127.0.0.1/32",), block=[{"host": "deny.test"}, {"host": "inside.test"}],
                       allow=[{"host": name, "ports": [good.port]} for name in ("alias.test", "trap.test")])

    def ask(name):
        authority = f"{name}:{good.port}"
        with leash.connect() as conn:
            return conn.get(f"http://{authority}/{name}", authority)
    assert ask("alias.test").status == 200
    line = leash.log.wait_for(event="allowed", host="alias.test")
    assert line["addr"] == f"127.0.0.1:{good.port}"
    assert good.requests_for("/alias.test")[-1].get("host") == f"alias.test:{good.port}"
    answer = ask("trap.test")
    assert answer.status == 403 and b"address_not_allowed" in answer.body
    assert leash.log.wait_for(event="blocked", host="trap.test")["reason"] == "address_not_allowed"
    # what the alias stands for is not allowed by the alias
    assert ask("deny.test").status == (200 if mode == "audit" else 403)
    assert bad.connections == 0


def test_looked_up_labels_are_on_record(make_leash, dns):
    """25: labels under an allowed name can carry words to a name server; each look-up leaves its line."""
    leash = make_leash(mode="enforce", allow=[{"host": "wild.test", "ports": [80]}])
    words = [f"{marker()}.secret" for _ in range(20)]
    with leash.connect() as conn:
        for word in words:
            assert conn.get(f"http://{word}.wild.test/", f"{word}.wild.test").status == 502
    assert all(dns.asked(f"{word}.wild.test") for word in words)
    lines = leash.log.wait_for(event="error", count=20)
    assert {line["host"] for line in lines} == {f"{word}.wild.test" for word in words}


def test_rebinding_name_reaches_only_what_was_checked(make_leash, dns, two_addresses):
    """19: the answers alternate between an allowed and a denied address."""
    good, bad = two_addresses
    dns.records["rebind.test"] = lambda number: ["127.0.0.1" if number % 2 else "127.0.0.2"]
    leash = make_leash(mode="audit", networks=("127.0.0.1/32",))
    statuses = set()
    for _ in range(100):
        with leash.connect() as conn:
            authority = f"rebind.test:{good.port}"
            statuses.add(conn.get(f"http://{authority}/", authority).status)
    assert statuses <= {200, 403} and 200 in statuses
    assert bad.connections == 0
    leash.log.wait_for(event="allowed")
    for line in leash.log.lines(event="allowed"):
        assert line["addr"] == f"127.0.0.1:{good.port}"


def test_a_tunnel_stays_where_it_was_checked(make_leash, dns, two_addresses):
    """One look-up for the tunnel; requests inside do not ask again elsewhere."""
    good, bad = two_addresses
    dns.records["once.test"] = lambda number: ["127.0.0.1" if number == 1 else "127.0.0.2"]
    dns.ttls["once.test"] = 60  # what is kept outlives the tunnel, however slowly it goes on
    leash = make_leash(mode="audit", networks=("127.0.0.0/8",))
    with leash.connect() as conn:
        authority = f"once.test:{good.port}"
        assert conn.connect(authority).status == 200
        for _ in range(5):
            assert conn.get("/", authority).status == 200
    assert bad.connections == 0


def test_what_a_tunnel_looks_up_later_is_judged_as_well(make_leash, dns, two_addresses):
    """19: the name is another address by the time that a request in the tunnel needs another connection."""
    good, bad = two_addresses
    good.on("/", reply(headers=(("Connection", "close"),)))  # so each request needs one
    dns.records["later.test"] = lambda number: ["127.0.0.1" if number == 1 else "127.0.0.2"]
    leash = make_leash(mode="audit", networks=("127.0.0.1/32",))
    with leash.connect() as conn:
        authority = f"later.test:{good.port}"
        assert conn.connect(authority).status == 200
        statuses = []

        def is_refused():
            answer = conn.get("/", authority)
            statuses.append(answer.status)
            return answer.status != 200 and answer
        answer = wait_until(is_refused, "an answer by the second look-up")
    assert answer.status == 403 and b"address_not_allowed" in answer.body
    assert bad.connections == 0 and len(good.requests) == len(statuses) - 1
    assert leash.log.wait_for(event="blocked", host="later.test")["reason"] == "address_not_allowed"


def test_dialled_address_is_on_record(make_leash, world):
    leash = make_leash(mode="enforce", **world.options())
    with leash.connect() as conn:
        conn.get(f"http://{world.plain_authority}/", world.plain_authority)
    assert leash.log.wait_for(event="allowed")["addr"] == f"127.0.0.1:{world.plain.port}"


def test_pooled_connection_is_judged_anew(make_leash, world):
    """21: the rule that opened the address goes; the connection that is still open does not serve."""
    entry = {"host": world.ALLOWED, "ports": [world.plain.port]}
    leash = make_leash(mode="enforce", networks=(), allow=[dict(entry, networks=["127.0.0.0/8"])], hosts=world.hosts)
    with leash.connect() as conn:
        target = f"http://{world.plain_authority}/"
        assert conn.get(target, world.plain_authority).status == 200
        leash.set_allow([entry])
        word = marker()
        answer = conn.get(target + word, world.plain_authority)
        assert answer.status == 403 and b"address_not_allowed" in answer.body
        assert not world.plain.saw(word)
        leash.set_allow([dict(entry, networks=["127.0.0.0/8"])])
        assert conn.get(target, world.plain_authority).status == 200


def test_ipv6_origin(make_leash, make_origin):
    try:
        origin = make_origin(address="::1")
    except OSError:
        pytest.skip("no IPv6 loopback here")
    leash = make_leash(mode="enforce", networks=(), allow=[{"host": "::1", "ports": [origin.port]}])
    with leash.connect() as conn:
        authority = f"[::1]:{origin.port}"
        assert conn.get(f"http://{authority}/", authority).status == 200
    assert origin.requests[0].get("host") == authority
    line = leash.log.wait_for(event="allowed")
    assert line["host"] == "::1" and line["url"] == f"http://{authority}/" and line["addr"] == authority


def test_mapped_address_is_judged_as_what_it_is(make_leash, world):
    """An opened 127/8 opens ::ffff:127.0.0.1 as well, and nothing wider."""
    leash = make_leash(mode="audit", networks=("10.0.0.0/8",))
    with leash.connect() as conn:
        assert conn.connect(f"[::ffff:127.0.0.1]:{world.plain.port}").status == 403


def test_mapped_address_is_that_ipv4_address(make_leash, world):
    """Allowed, dialled and logged as what it is."""
    port = world.plain.port
    leash = make_leash(mode="enforce", networks=(), allow=[{"host": "127.0.0.1", "ports": [port]}])
    with leash.connect() as conn:
        assert conn.get(f"http://[::ffff:127.0.0.1]:{port}/", f"[::ffff:7f00:1]:{port}").status == 200
    line = leash.log.wait_for(event="allowed")
    assert (line["host"], line["url"], line["addr"]) == ("127.0.0.1", f"http://127.0.0.1:{port}/", f"127.0.0.1:{port}")


@pytest.mark.parametrize("literal", ["[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"])
def test_blocked_ipv4_address_is_blocked_in_ipv6_spellings(make_leash, world, literal):
    leash = make_leash(mode="blocklist", block=[{"host": "127.0.0.1"}])
    authority = f"{literal}:{world.plain.port}"
    with leash.connect() as conn:
        assert conn.get(f"http://{authority}/", authority).status == 403
        assert conn.connect(authority).status == 403
    lines = leash.log.wait_for(count=2, event="blocked")
    assert all(line["reason"] == "in_blocklist" and line["rule"].endswith(" 127.0.0.1") for line in lines)


def test_look_ups_of_one_client_leave_room_for_others(make_leash, dns, world):
    """They count until the query has ended, also when the client has gone."""
    names = [f"x{index}.wild.test" for index in range(65)]
    for name in names:
        dns.records[name] = lambda number: None
    dns.records["ok.test"] = ["127.0.0.1"]
    leash = make_leash(mode="audit", args=["--workers", "1"])
    conns = []
    for name in names[:64]:  # all at once, since the first query does not stay open for ever
        conns.append(leash.connect("127.0.0.66"))
        conns[-1].send(f"CONNECT {name}:443 HTTP/1.1\r\nHost: {name}:443\r\n\r\n")
    wait_until(lambda: all(dns.asked(name) for name in names[:64]), "each look-up is under way")
    for conn in conns:
        conn.close()
    with leash.connect("127.0.0.66") as conn:
        assert conn.connect(f"{names[64]}:443").status == 503
        line = leash.log.wait_for(event="error", host=names[64])
        assert "64 look-ups of this client are under way" in line.values() or \
            "64 look-ups of this client are under way" in line["reason"]
    authority = f"ok.test:{world.plain.port}"
    with leash.connect("127.0.0.67") as conn:
        assert conn.get(f"http://{authority}/", authority).status == 200
    assert not dns.asked(names[64])


def test_name_that_does_not_exist(make_leash):
    leash = make_leash(mode="audit")
    with leash.connect() as conn:
        answer = conn.get("http://nowhere.test/x", "nowhere.test")
        assert answer.status == 502 and b"resolve_failed" in answer.body
        line = leash.log.wait_for(event="error", host="nowhere.test", url="http://nowhere.test/x")
        assert "resolve_failed" in line["reason"]
        assert conn.connect("nowhere.test:443").status == 502
    leash.log.wait_for(event="error", host="nowhere.test", port=443)


def test_port_where_nobody_listens(make_leash):
    leash = make_leash(mode="audit", hosts={"closed.test": "127.0.0.1"})
    # Bound, so that nobody else comes to listen there.
    with socket.socket() as closed, leash.connect() as conn:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        assert conn.get(f"http://closed.test:{port}/x", f"closed.test:{port}").status == 502
        assert "connect_failed" in leash.log.wait_for(event="error", host="closed.test", method="GET")["reason"]
        assert conn.connect(f"closed.test:{port}").status == 502
    leash.log.wait_for(event="error", host="closed.test", method=None)


def test_second_address_is_tried_when_the_first_refuses(make_leash, make_origin):
    origin = make_origin(address="127.0.0.3")
    leash = make_leash(mode="audit", hosts={"several.test": ["127.0.0.4", "127.0.0.3"]})
    with leash.connect() as conn:
        authority = f"several.test:{origin.port}"
        assert conn.get(f"http://{authority}/", authority).status == 200
    assert leash.log.wait_for(event="allowed")["addr"] == f"127.0.0.3:{origin.port}"


def test_hundreds_of_addresses_are_bounded(make_leash, make_origin):
    """30: a name with very many answers is served or refused, in good time."""
    origin = make_origin()
    addresses = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(1000)]
    leash = make_leash(mode="audit", hosts={"many.test": addresses})
    with leash.connect() as conn:
        authority = f"many.test:{origin.port}"
        assert conn.get(f"http://{authority}/", authority).status in (200, 502, 504)


def test_silent_name_server_ends_in_504(make_leash, dns):
    dns.records["silent.test"] = lambda number: None
    leash = make_leash(mode="audit", settings={"limits": {"connect_time": "500ms"}})
    with leash.connect() as conn:
        answer = conn.get("http://silent.test/", "silent.test")
        assert answer.status == 504
    wait_until(lambda: leash.log.lines(event="error", host="silent.test"))


def test_agents_do_not_share_connections(make_leash, make_origin):
    """45: two client addresses, two origin connections; one client reuses its own."""
    origin = make_origin()
    origin.default = reply(body=b"x")
    leash = make_leash(mode="audit", hosts={"pool.test": "127.0.0.1"})
    authority = f"pool.test:{origin.port}"
    for source in ("127.0.0.1", "127.0.0.9", "127.0.0.1", "127.0.0.9"):
        with leash.connect(source) as conn:
            assert conn.get(f"http://{authority}/{source}", authority).status == 200
    for peer in origin.peers:
        sources = {line.split(b" ")[1] for line in bytes(peer.received).split(b"\r\n") if line.startswith(b"GET ")}
        assert len(sources) == 1, sources
