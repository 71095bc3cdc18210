#include "http/h2_client.h"

#include <doctest/doctest.h>

#include <functional>

#include "h2_support.h"

using namespace leash::http;
using namespace leash::http::test;

namespace {

// The verdict on an origin's bytes after one GET.
std::string verdict(const std::string& bytes, const std::string& method = "GET") {
  std::string first;
  for (const Feed how : {Feed::kWhole, Feed::kByByte}) {
    ClientBench bench;
    CHECK(bench.session.start(request(method), true).value() == 1);
    bench.take();
    bench.feed(settings() + bytes, how);
    std::string text = bench.heard();
    if (!bench.last) text += " | " + bench.last.error().text();
    if (how == Feed::kWhole) first = text;
    CHECK(text == first);
  }
  return first;
}

}  // namespace

TEST_CASE("a request goes out with pseudo-fields first and no connection fields") {
  ServerBench server;
  ClientBench client;
  RequestHead head = request("POST", "/p?q");
  head.body = {Framing::kLength, 2};
  head.fields.add("Accept", "x");
  head.fields.add("Connection", "close");
  head.fields.add("Transfer-Encoding", "chunked");
  head.fields.add("Content-Length", "7");
  REQUIRE(client.session.start(head, false));
  client.session.send_body(1, "ab");
  client.session.send_end(1);
  client.take();
  server.feed(client.sent);
  CHECK(server.heard() == "request 1 POST /p?q; body 1 ab; end 1");
  CHECK(text_of_fields(server.handler.heads.at(0).fields) ==
        "host=a.test,accept=x,content-length=2");
}

TEST_CASE("the framing of a response is told by END_STREAM, content-length, status and method") {
  const auto body_of = [](const Names& names, int flags, const std::string& method = "GET") {
    ClientBench bench;
    CHECK(bench.session.start(request(method), true));
    bench.take();
    bench.feed(settings() + headers(1, names, flags));
    REQUIRE(bench.handler.heads.size() == 1);
    return bench.handler.heads[0].body;
  };
  CHECK(body_of({{":status", "200"}}, 0) == Body{Framing::kChunked, 0});
  CHECK(body_of({{":status", "200"}}, kEndStream) == Body{Framing::kLength, 0});
  CHECK(body_of({{":status", "200"}, {"content-length", "5"}}, 0) == Body{Framing::kLength, 5});
  CHECK(body_of({{":status", "200"}, {"content-length", "5"}}, kEndStream, "HEAD") == Body{});
  CHECK(body_of({{":status", "304"}, {"content-length", "5"}}, kEndStream) == Body{});
  CHECK(body_of({{":status", "204"}}, kEndStream) == Body{});
}

TEST_CASE("interim responses come before the final one") {
  CHECK(verdict(headers(1, {{":status", "103"}, {"link", "</x>"}}, 0) +
                headers(1, {{":status", "200"}}, 0) + data(1, "hi") + headers(1, {{"x", "y"}})) ==
        "head 1 103; head 1 200; body 1 hi; end 1 x=y; closed 1");
}

TEST_CASE("malformed responses reset the stream") {
  const auto is_refused = [](const std::string& said) {
    return said.starts_with("reset 1 ") && said.ends_with("closed 1");
  };
  CHECK(is_refused(verdict(headers(1, {{"x", "y"}}))));
  CHECK(is_refused(verdict(headers(1, {{":status", "101"}}, 0))));
  CHECK(is_refused(verdict(headers(1, {{":status", "20"}}))));
  CHECK(is_refused(verdict(headers(1, {{":status", "2000"}}))));
  CHECK(is_refused(verdict(headers(1, {{":status", "099"}}))));
  CHECK(is_refused(verdict(headers(1, {{":status", "200"}, {"X", "y"}}))));
  CHECK(is_refused(verdict(headers(1, {{":status", "200"}, {"x", "a\r\nb"}}))));
  CHECK(is_refused(verdict(headers(1, {{":status", "200"}, {"connection", "close"}}))));
  CHECK(is_refused(verdict(headers(1, {{":status", "200"}, {"transfer-encoding", "chunked"}}))));
  CHECK(is_refused(verdict(headers(1, {{":status", "200"}, {":path", "/"}}))));
  CHECK(is_refused(verdict(headers(1, {{":status", "100"}}))));
  CHECK(verdict(data(1, "no head")).starts_with("reset 1 http2_protocol"));
}

TEST_CASE("a response body of another length resets the stream") {
  const std::string head = headers(1, {{":status", "200"}, {"content-length", "3"}}, 0);
  CHECK(verdict(head + data(1, "abc") + data(1, "d")) ==
        "head 1 200; body 1 abc; reset 1 bad_content_length: body of another length; closed 1");
  CHECK(verdict(head + data(1, "ab", kEndStream)) ==
        "head 1 200; body 1 ab; reset 1 bad_content_length: body of another length; closed 1");
  CHECK(verdict(headers(1, {{":status", "200"}}, 0) + data(1, "x"), "HEAD").find("reset 1") !=
        std::string::npos);
}

TEST_CASE("a push ends the connection once the origin knows that there is none") {
  CHECK(verdict(frame(5, kEndHeaders, 1, be32(2) + block(get())) +
                headers(1, {{":status", "200"}})) == "head 1 200 ends; closed 1");
  const std::string said =
      verdict(frame(4, kAck, 0) + frame(5, kEndHeaders, 1, be32(2) + block(get())));
  CHECK(said.find("http2_protocol") != std::string::npos);
}

TEST_CASE("no more streams than the origin allows") {
  ClientBench bench;
  bench.feed(settings({{3, 2}}));
  CHECK(bench.session.has_settings());
  REQUIRE(bench.session.start(request(), true));
  REQUIRE(bench.session.room() > 0);
  REQUIRE(bench.session.start(request(), true));
  CHECK(bench.session.room() == 0);
  const auto third = bench.session.start(request(), true);
  REQUIRE_FALSE(third);
  CHECK(third.error().code == leash::base::Code::kTooManyStreams);
  bench.take();
  bench.feed(headers(1, {{":status", "200"}}));
  CHECK(bench.session.start(request(), true).value() == 5);
}

TEST_CASE("GOAWAY names the streams that may be sent again") {
  ClientBench bench;
  REQUIRE(bench.session.start(request(), true));
  REQUIRE(bench.session.start(request(), true));
  bench.take();
  bench.feed(settings() + frame(7, 0, 0, be32(1) + be32(0)));
  CHECK(bench.heard() == "goaway 1; reset 3 stream_refused; closed 3");
  CHECK(bench.session.is_going_away());
  CHECK(bench.session.room() == 0);
  const auto late = bench.session.start(request(), true);
  REQUIRE_FALSE(late);
  CHECK(late.error().code == leash::base::Code::kStreamRefused);
  bench.feed(headers(1, {{":status", "200"}}));
  CHECK(bench.heard().ends_with("head 1 200 ends; closed 1"));
  CHECK(bench.session.is_finished());
}

TEST_CASE("a request that had not left when GOAWAY came may be sent again") {
  ClientBench bench;
  bench.take();
  REQUIRE(bench.session.start(request(), true));
  bench.feed(settings() + frame(7, 0, 0, be32(0) + be32(0)));
  CHECK(bench.heard() == "goaway 0; reset 1 stream_refused; closed 1");
}

TEST_CASE("REFUSED_STREAM is told from other resets") {
  CHECK(verdict(rst(1, H2Code::kRefusedStream)) == "reset 1 stream_refused; closed 1");
  CHECK(verdict(rst(1, H2Code::kHttp11Required)) == "reset 1 reset: HTTP_1_1_REQUIRED; closed 1");
  CHECK(verdict(headers(1, {{":status", "200"}}, 0) + rst(1, H2Code::kNoError)) ==
        "head 1 200; reset 1 reset: NO_ERROR; closed 1");
}

TEST_CASE("an origin may end each stream with a reset, but not break off one after the other") {
  const auto run = [](int count, const std::function<std::string(std::uint32_t)>& answer) {
    ClientBench bench;
    bench.feed(settings());
    for (int i = 0; i < count && !bench.session.error(); ++i) {
      const auto id = bench.session.start(request(), true);
      if (!id) break;
      bench.take();
      bench.feed(answer(static_cast<std::uint32_t>(*id)));
    }
    return bench.session.error() ? bench.session.error()->text() : std::string();
  };
  CHECK(run(1000, [](std::uint32_t id) {
          return headers(id, {{":status", "200"}}) + rst(id, H2Code::kNoError);
        }) == "");
  CHECK(run(1000, [](std::uint32_t id) { return rst(id, H2Code::kCancel); }) ==
        "http2_flood: stream resets");
  CHECK(run(1000, [](std::uint32_t id) {
          return headers(id, {{":status", "200"}}, 0) + rst(id, H2Code::kCancel);
        }) == "http2_flood: stream resets");
}

TEST_CASE("a stream that is whole both ways is not reset") {
  ClientBench bench;
  bench.handler.at_end = [&](std::int32_t id) { bench.session.reset(id, H2Code::kCancel); };
  bench.feed(settings());
  REQUIRE(bench.session.start(request(), true));
  REQUIRE(bench.session.start(request(), true));
  REQUIRE(bench.session.start(request("POST"), false));
  bench.take();
  bench.sent.clear();  // the preface is no frame
  bench.feed(headers(1, {{":status", "200"}}));
  bench.feed(headers(3, {{":status", "200"}}, 0) + data(3, "x", kEndStream));
  CHECK(code_in(bench.sent, 3).empty());
  bench.feed(headers(5, {{":status", "200"}}));  // its request is not whole
  CHECK(code_in(bench.sent, 3) == "CANCEL");
}

TEST_CASE("an origin may answer whole and ask for no more of the request") {
  ClientBench bench;
  REQUIRE(bench.session.start(request("POST"), false));
  bench.session.send_body(1, "abc");
  bench.take();
  bench.feed(settings() + headers(1, {{":status", "413"}}) + rst(1, H2Code::kNoError));
  CHECK(bench.heard() == "head 1 413 ends; closed 1");
}

TEST_CASE("extended CONNECT waits for the origin's consent") {
  RequestHead head = request("CONNECT", "/chat");
  head.protocol = "websocket";
  ClientBench bench;
  CHECK_FALSE(bench.session.has_settings());
  CHECK_FALSE(bench.session.start(head, false));
  bench.feed(settings({{8, 1}}));
  CHECK(bench.session.is_extended_connect_allowed());
  CHECK(bench.session.start(head, false));
}

TEST_CASE("a ping is pending until it is answered") {
  ClientBench bench;
  bench.feed(settings());
  bench.session.ping();
  bench.take();
  CHECK(bench.session.pings_pending() == 1);
  bench.feed(frame(6, kAck, 0, std::string(8, '\0')));
  CHECK(bench.session.pings_pending() == 0);
}

TEST_CASE("what an origin does wrong is the origin's fault") {
  ClientBench bench;
  REQUIRE(bench.session.start(request(), true));
  bench.take();
  bench.feed("HTTP/1.1 400 Bad Request\r\n\r\n");
  REQUIRE_FALSE(bench.last);
  CHECK(bench.last.error().fault == leash::base::Fault::kOrigin);
  CHECK(bench.heard().find("reset 1 http2_protocol") == 0);
}
