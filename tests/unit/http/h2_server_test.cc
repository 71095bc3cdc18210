#include "http/h2_server.h"

#include <doctest/doctest.h>

#include "h2_support.h"

using namespace leash::http;
using namespace leash::http::test;

namespace {

// The verdict on one request, fed whole and byte by byte: what the handler heard, then RST_STREAM's
// code.
std::string verdict(const std::string& bytes) {
  std::string first;
  for (const Feed how : {Feed::kWhole, Feed::kByByte}) {
    ServerBench bench;
    bench.feed(hello() + bytes, how);
    const std::string code = code_in(bench.sent, 3);
    std::string text = bench.heard() + (code.empty() ? "" : " | " + code);
    if (!bench.last) text += " | " + bench.last.error().text();
    if (how == Feed::kWhole) {
      first = text;
    } else {
      CHECK(text == first);
    }
  }
  return first;
}

std::string of_headers(const Names& names) { return verdict(headers(1, names)); }

const char* const kMalformed = "refused 1 http2_protocol | PROTOCOL_ERROR";

}  // namespace

TEST_CASE("a request becomes a head with Host from :authority") {
  for (const Feed how : {Feed::kWhole, Feed::kByByte}) {
    ServerBench bench;
    bench.feed(hello() + headers(1, with(get("/x?y=1"), {{"accept", "*/*"}, {"te", "trailers"}})),
               how);
    REQUIRE(bench.last);
    CHECK(bench.heard() == "request 1 GET /x?y=1 ends");
    const RequestHead& head = bench.handler.heads.at(0);
    CHECK(head.scheme == "https");
    CHECK(head.version == Version::kHttp2);
    REQUIRE(head.host);
    CHECK(head.host->host.text() == "a.test");
    CHECK(head.host->port == 0);
    CHECK(head.body.framing == Framing::kNone);
    CHECK(head.form == TargetForm::kOrigin);
    CHECK(text_of_fields(head.fields) == "host=a.test,accept=*/*,te=trailers");
  }
}

TEST_CASE("the crumbs of a cookie are joined") {
  ServerBench bench;
  bench.feed(hello() + headers(1, with(get(), {{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}})));
  REQUIRE(bench.handler.heads.size() == 1);
  CHECK(text_of_fields(bench.handler.heads[0].fields) == "host=a.test,cookie=a=1; b=2,x=y");
}

TEST_CASE("the framing of a request body is told by END_STREAM and content-length") {
  ServerBench bench;
  const Names post = but(get(), ":method", "POST");
  bench.feed(hello() + headers(1, post, 0) + headers(3, with(post, {{"content-length", "3"}}), 0) +
             headers(5, post) + headers(7, with(post, {{"content-length", "0"}})) +
             headers(9, get()));
  REQUIRE(bench.handler.heads.size() == 5);
  CHECK(bench.handler.heads[0].body == Body{Framing::kChunked, 0});
  CHECK(bench.handler.heads[1].body == Body{Framing::kLength, 3});
  CHECK(bench.handler.heads[2].body == Body{Framing::kLength, 0});
  CHECK(bench.handler.heads[3].body == Body{Framing::kLength, 0});
  CHECK(bench.handler.heads[4].body == Body{Framing::kNone, 0});
}

TEST_CASE("a body and its trailers arrive in order, and forbidden trailers do not") {
  const std::string bytes = headers(1, but(get(), ":method", "PUT"), 0) + data(1, "abc") +
                            data(1, "def") +
                            headers(1, {{"grpc-status", "0"}, {"host", "b"}, {"cookie", "c"}});
  CHECK(verdict(bytes) == "request 1 PUT /; body 1 abcdef; end 1 grpc-status=0");
}

TEST_CASE("Host alone names the authority") {
  CHECK(of_headers(with(without(get(), ":authority"), {{"host", "a.test:8443"}})) ==
        "request 1 GET / ends");
}

TEST_CASE("Host that agrees with :authority is one name") {
  ServerBench bench;
  bench.feed(hello() + headers(1, with(get(), {{"host", "A.TEST:443"}})));
  REQUIRE(bench.handler.heads.size() == 1);
  CHECK(text_of_fields(bench.handler.heads[0].fields) == "host=a.test");
}

TEST_CASE("Host that is not :authority is refused") {
  CHECK(of_headers(with(get(), {{"host", "b.test"}})) ==
        "refused 1 host_mismatch | PROTOCOL_ERROR");
  CHECK(of_headers(with(get(), {{"host", "a.test:444"}})) ==
        "refused 1 host_mismatch | PROTOCOL_ERROR");
}

TEST_CASE("an authority that is no host is refused") {
  CHECK(of_headers(but(get(), ":authority", "u@a.test")).find("refused 1") == 0);
  CHECK(of_headers(but(get(), ":authority", "127.1")).find("refused 1") == 0);
  CHECK(of_headers(but(get(), ":authority", "")).find("refused 1") == 0);
  CHECK(of_headers(without(get(), ":authority")).find("refused 1") == 0);
}

TEST_CASE("field names in upper case are refused") {
  CHECK(of_headers(with(get(), {{"Accept", "x"}})) == kMalformed);
}

TEST_CASE("field names that are no tokens are refused") {
  const char* const kBad = "refused 1 bad_field_name | PROTOCOL_ERROR";
  CHECK(of_headers(with(get(), {{"a b", "x"}})) == kBad);
  CHECK(of_headers(with(get(), {{"a:b", "x"}})) == kBad);
  CHECK(of_headers(with(get(), {{"a\r\nb", "x"}})) == kBad);
  CHECK(of_headers(with(get(), {{"", "x"}})) == kBad);
}

TEST_CASE("control bytes and outer blanks in field values are refused") {
  const char* const kBad = "refused 1 bad_field_value | PROTOCOL_ERROR";
  CHECK(of_headers(with(get(), {{"x", "a\r\nhost: b"}})) == kBad);
  CHECK(of_headers(with(get(), {{"x", "a\nb"}})) == kBad);
  CHECK(of_headers(with(get(), {{"x", std::string("a\0b", 3)}})) == kBad);
  CHECK(of_headers(with(get(), {{"x", " a"}})) == kBad);
  CHECK(of_headers(with(get(), {{"x", "a\t"}})) == kBad);
}

TEST_CASE("fields of one connection are refused") {
  for (const char* name :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) {
    CHECK(of_headers(with(get(), {{name, "chunked"}})) == kMalformed);
  }
  CHECK(of_headers(with(get(), {{"te", "gzip"}})) == kMalformed);
  CHECK(of_headers(with(get(), {{"http2-settings", "AAMAAABk"}})) ==
        "refused 1 bad_field_name | PROTOCOL_ERROR");
}

TEST_CASE("pseudo-fields that are missing, twice, unknown or late are refused") {
  CHECK(of_headers(without(get(), ":method")) == kMalformed);
  CHECK(of_headers(without(get(), ":scheme")) == kMalformed);
  CHECK(of_headers(without(get(), ":path")) == kMalformed);
  CHECK(of_headers(with(get(), {{":path", "/b"}})) == kMalformed);
  CHECK(of_headers(with(get(), {{":authority", "b.test"}})) == kMalformed);
  CHECK(of_headers(with(get(), {{":status", "200"}})) == kMalformed);
  CHECK(of_headers(with({{"x", "y"}}, get())) == kMalformed);
  CHECK(of_headers(with(get(), {{":protocol", "websocket"}})) == kMalformed);
}

TEST_CASE("a path begins with a slash and holds no blank, fragment or byte above 0x7e") {
  for (const char* path :
       {"", "x", "http://b.test/", "/a b", "/a#b", "/\x7f", "/\xc3\xa9", "/\r\n", "*"}) {
    INFO(path);
    const std::string said = of_headers(get(path));
    CHECK(said.find("refused 1") == 0);
    CHECK(said.find("PROTOCOL_ERROR") != std::string::npos);
  }
}

TEST_CASE("the asterisk is for OPTIONS") {
  ServerBench bench;
  bench.feed(hello() + headers(1, but(get("*"), ":method", "OPTIONS")));
  REQUIRE(bench.handler.heads.size() == 1);
  CHECK(bench.handler.heads[0].form == TargetForm::kAsterisk);
}

TEST_CASE("a scheme other than http and https is refused") {
  CHECK(of_headers(but(get(), ":scheme", "ftp")) == "refused 1 bad_target | PROTOCOL_ERROR");
}

TEST_CASE("a method that is no token is refused") {
  CHECK(of_headers(but(get(), ":method", "GE T")) == kMalformed);
  CHECK(of_headers(but(get(), ":method", "")) == kMalformed);
}

TEST_CASE("CONNECT is answered with 405 and never becomes a request") {
  ServerBench bench;
  bench.feed(hello() + headers(1, {{":method", "CONNECT"}, {":authority", "d.test:443"}}, 0) +
             data(1, "\x16\x03\x01") + headers(3, get()));
  REQUIRE(bench.last);
  CHECK(bench.heard() == "refused 1 unsupported_method; request 3 GET / ends");
  CHECK(code_in(bench.sent, 3) == "NO_ERROR");
  CHECK(bench.session.active_streams() == 1);
}

TEST_CASE("an extended CONNECT opens a WebSocket, and nothing but a WebSocket") {
  const Names websocket =
      with(but(get("/chat"), ":method", "CONNECT"), {{":protocol", "websocket"}});
  ServerBench bench;
  bench.feed(hello() + headers(1, websocket, 0) + data(1, "frames"));
  CHECK(bench.heard() == "request 1 CONNECT /chat; body 1 frames");
  CHECK(bench.handler.heads.at(0).protocol == "websocket");
  CHECK(bench.handler.heads.at(0).body.framing == Framing::kChunked);
  bench.session.send_head(1, response(200), false);
  bench.session.send_body(1, "back");
  bench.take();
  CHECK(frames_of(bench.sent).back().payload == "back");
  CHECK(of_headers(but(websocket, ":protocol", "connect-udp")) == "refused 1 unsupported_method");
}

TEST_CASE("content-length that is not the length of the body resets the stream") {
  const Names post = but(get(), ":method", "POST");
  const auto with_length = [&post](const char* n) { return with(post, {{"content-length", n}}); };
  CHECK(verdict(headers(1, with_length("3"), 0) + data(1, "abc") + data(1, "d")) ==
        "request 1 POST /; body 1 abc; reset 1 bad_content_length: body of another length; closed "
        "1 | "
        "PROTOCOL_ERROR");
  CHECK(verdict(headers(1, with_length("3"), 0) + data(1, "ab", kEndStream)) ==
        "request 1 POST /; body 1 ab; reset 1 bad_content_length: body of another length; closed 1 "
        "| PROTOCOL_ERROR");
  CHECK(verdict(headers(1, with_length("3"))).find("refused 1") == 0);
  CHECK(verdict(headers(1, with_length("+3"), 0)) == kMalformed);
  CHECK(verdict(headers(1, with(with_length("3"), {{"content-length", "3"}}), 0)) == kMalformed);
  CHECK(verdict(headers(1, with_length("3"), 0) + data(1, "ab") + headers(1, {{"x", "y"}}))
            .find("reset 1 bad_content_length") != std::string::npos);
}

TEST_CASE("malformed trailers reset the stream") {
  const std::string open = headers(1, but(get(), ":method", "POST"), 0) + data(1, "ab");
  CHECK(verdict(open + headers(1, {{"content-length", "9"}})).find("reset 1 bad_trailer") !=
        std::string::npos);
  CHECK(verdict(open + headers(1, {{":path", "/"}})).find("reset 1 bad_trailer") !=
        std::string::npos);
  CHECK(verdict(open + headers(1, {{"x", "y"}}, 0)).find("reset 1 bad_trailer") !=
        std::string::npos);
  CHECK(verdict(open + headers(1, {{"x", "a\nb"}})).find("reset 1 bad_field_value") !=
        std::string::npos);
}

TEST_CASE("errors of the connection end it with GOAWAY") {
  const auto goaway = [](const std::string& bytes) {
    std::string first;
    for (const Feed how : {Feed::kWhole, Feed::kByByte}) {
      ServerBench bench;
      bench.feed(bytes, how);
      REQUIRE_FALSE(bench.last);
      CHECK(bench.last.error().fault == leash::base::Fault::kClient);
      CHECK(bench.last.error().code == leash::base::Code::kHttp2Protocol);
      CHECK(bench.session.is_finished());
      CHECK_FALSE(bench.session.receive("x", kStart));
      const std::string code = code_in(bench.sent, 7);
      if (how == Feed::kWhole) first = code;
      CHECK(code == first);
    }
    return first;
  };
  CHECK(goaway("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n") == "PROTOCOL_ERROR");
  CHECK(goaway(hello() + data(1, "x")) == "PROTOCOL_ERROR");
  CHECK(goaway(hello() + headers(2, get())) == "PROTOCOL_ERROR");
  CHECK(goaway(hello() + frame(0, 0, 0, "x")) == "PROTOCOL_ERROR");
  CHECK(goaway(hello() + frame(1, kEndHeaders, 1, std::string(16'385, 'x'))) == "FRAME_SIZE_ERROR");
  CHECK(goaway(hello() + frame(1, kEndHeaders, 1, "\xff\xff\xff\xff\xff\xff")) ==
        "COMPRESSION_ERROR");
  CHECK(goaway(hello() + frame(1, 0, 1, block(get())) + ping()) == "PROTOCOL_ERROR");
  CHECK(goaway(hello() + window_update(0, 0x7fffffff)) == "FLOW_CONTROL_ERROR");
  CHECK(goaway(hello() + settings({{4, 0x80000000}})) == "FLOW_CONTROL_ERROR");
  CHECK(goaway(hello() + frame(5, kEndHeaders, 1, be32(2) + block(get()))) == "PROTOCOL_ERROR");
  CHECK(goaway(hello() + headers(1, get()) + data(1, "late")) == "STREAM_CLOSED");
}

TEST_CASE("an error of the connection ends every stream for the handler") {
  ServerBench bench;
  bench.feed(hello() + headers(1, get()) + frame(0, 0, 0, "x"));
  CHECK(bench.heard().find("request 1 GET / ends; reset 1 http2_protocol") == 0);
  CHECK(bench.heard().ends_with("closed 1"));
  CHECK(bench.session.active_streams() == 0);
}

TEST_CASE("a client that resets a stream is heard once") {
  CHECK(verdict(headers(1, get()) + rst(1)) ==
        "request 1 GET / ends; reset 1 reset: CANCEL; closed 1");
}

TEST_CASE("a whole response ends a request that is not whole, without blame") {
  ServerBench bench;
  bench.feed(hello() + headers(1, but(get(), ":method", "POST"), 0) + data(1, "abc"));
  bench.session.send_head(1, response(413), true);
  bench.take();
  CHECK(code_in(bench.sent, 3) == "NO_ERROR");
  CHECK(bench.heard() == "request 1 POST /; body 1 abc; closed 1");
}

TEST_CASE("reset is silent but for on_closed, and drops what was queued") {
  ServerBench bench;
  bench.feed(hello() + headers(1, get()));
  bench.session.send_head(1, response(200), false);
  bench.session.send_body(1, "lost");
  bench.session.reset(1, H2Code::kInternalError);
  CHECK(bench.session.queued_bytes(1) == 0);
  bench.take();
  CHECK(code_in(bench.sent, 3) == "INTERNAL_ERROR");
  CHECK(bench.heard() == "request 1 GET / ends; closed 1");
  bench.session.send_body(1, "x");
  bench.session.reset(1, H2Code::kCancel);
  bench.session.consume(1, 5);
  CHECK(bench.session.output().empty());
}

TEST_CASE("drain lets streams finish and takes those that were on their way") {
  ServerBench bench;
  bench.feed(hello() + headers(1, get()));
  bench.session.drain();
  bench.take();
  CHECK(code_in(bench.sent, 7) == "NO_ERROR");
  bench.feed(headers(3, get("/late")));
  CHECK_FALSE(bench.session.is_drained());
  std::string opaque;
  for (const Frame& f : frames_of(bench.sent)) {
    if (f.type == 6 && f.flags == 0) opaque = f.payload;
  }
  bench.feed(frame(6, kAck, 0, opaque));
  bench.feed(headers(5, get("/too-late")));
  CHECK(bench.heard() == "request 1 GET / ends; request 3 GET /late ends");
  bench.session.send_head(1, response(204), true);
  bench.session.send_head(3, response(204), true);
  CHECK_FALSE(bench.session.is_drained());
  bench.take();
  CHECK(bench.session.is_drained());
  CHECK(bench.session.is_finished());
}

TEST_CASE("close says GOAWAY and ends all streams") {
  ServerBench bench;
  bench.feed(hello() + headers(1, get()));
  bench.session.close();
  bench.take();
  CHECK(code_in(bench.sent, 7) == "NO_ERROR");
  CHECK(bench.heard() == "request 1 GET / ends; reset 1 shutdown; closed 1");
  CHECK(bench.session.is_finished());
}

TEST_CASE("abort tells all streams why and writes nothing") {
  ServerBench bench;
  bench.feed(hello() + headers(1, get()));
  bench.session.send_head(1, response(200), false);
  bench.session.abort({leash::base::Code::kClosedEarly, leash::base::Fault::kClient, {}});
  CHECK(bench.session.output().empty());
  CHECK(bench.heard() == "request 1 GET / ends; reset 1 closed_early; closed 1");
  CHECK(bench.session.is_finished());
}
