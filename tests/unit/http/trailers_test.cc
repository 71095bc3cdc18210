#include "http/trailers.h"

#include <doctest/doctest.h>

namespace leash::http {

TEST_CASE("a trailer may describe the content's history and nothing that steers") {
  CHECK(is_allowed_in_trailer("X-Checksum"));
  CHECK(is_allowed_in_trailer("grpc-status"));
  CHECK(is_allowed_in_trailer("Server-Timing"));
  CHECK(is_allowed_in_trailer("ETag"));
  for (const char* name : {"Content-Length", "transfer-encoding", "HOST", "Authorization",
                           "Proxy-Anything", "Set-Cookie", "Trailer", "TE", "Content-Encoding"}) {
    CAPTURE(name);
    CHECK_FALSE(is_allowed_in_trailer(name));
  }
}

}  // namespace leash::http
