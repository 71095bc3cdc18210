#include "http/h2_fields.h"

#include <doctest/doctest.h>

#include "h2_support.h"

using namespace leash::http;
using namespace leash::http::test;

namespace {

std::string text_of_list(const HeaderList& list) {
  std::string out;
  for (const auto& [name, value] : list) {
    if (!out.empty()) out += ",";
    out.append(name).append("=").append(value);
  }
  return out;
}

}  // namespace

TEST_CASE("a request from an HTTP/1 leg becomes a header list") {
  RequestHead head;
  head.method = "PUT";
  head.path = "/a?b";
  head.version = Version::kHttp11;
  head.fields.add("Host", "a.test:8443");
  head.fields.add("X-One", "1");
  head.fields.add("Keep-Alive", "5");
  head.fields.add("TE", "gzip");
  head.fields.add("HTTP2-Settings", "AAAA");
  head.body = {Framing::kLength, 4};
  CHECK(text_of_list(request_list(head)) ==
        ":method=PUT,:scheme=https,:authority=a.test:8443,:path=/a?b,x-one=1,content-length=4");
}

TEST_CASE("without a Host field the head's host is the authority") {
  RequestHead head;
  head.method = "OPTIONS";
  head.scheme = "http";
  head.form = TargetForm::kAsterisk;
  head.path = "*";
  head.host = leash::base::parse_authority("[::1]:80", 0).value();
  CHECK(text_of_list(request_list(head)) ==
        ":method=OPTIONS,:scheme=http,:authority=[::1],:path=*");
}

TEST_CASE("an extended CONNECT carries its protocol and no length") {
  RequestHead head = request("GET", "/chat");
  head.protocol = "websocket";
  head.body = {Framing::kLength, 0};
  CHECK(text_of_list(request_list(head)) ==
        ":method=CONNECT,:scheme=https,:authority=a.test,:path=/chat,:protocol=websocket");
}

TEST_CASE("content-length goes out where it is true") {
  ResponseHead head = response(200);
  head.fields.add("Content-Length", "9");
  head.fields.add("Connection", "close");
  CHECK(text_of_list(response_list(head)) == ":status=200");
  head.body = {Framing::kLength, 3};
  CHECK(text_of_list(response_list(head)) == ":status=200,content-length=3");
  head.body = {};
  CHECK(text_of_list(response_list(head)) == ":status=200,content-length=9");
  head.status = 204;
  CHECK(text_of_list(response_list(head)) == ":status=204");
  head.status = 103;
  CHECK(text_of_list(response_list(head)) == ":status=103");
}

TEST_CASE("trailers that may not be trailers stay behind") {
  Fields trailers;
  trailers.add("Grpc-Status", "0");
  trailers.add("Content-Length", "3");
  trailers.add("Transfer-Encoding", "chunked");
  trailers.add("Host", "b.test");
  trailers.add(":status", "500");
  CHECK(text_of_list(trailer_list(trailers)) == "grpc-status=0");
}

TEST_CASE("Expect is noted for whoever answers it") {
  HeaderBlock block;
  for (const auto& [name, value] :
       with(but(get(), ":method", "PUT"), {{"expect", "100-continue"}})) {
    block.add(name, value);
  }
  const auto head = request_from(std::move(block), StreamEnd::kLater);
  REQUIRE(head);
  CHECK(head->expects_continue);
}
