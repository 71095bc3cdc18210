#include "http/body_framing.h"

#include <cstdint>
#include <optional>

#include "base/text.h"

namespace leash::http {
namespace {

using base::Code;
using base::Fault;

constexpr std::uint64_t kMaxLength = INT64_MAX;

struct Stated {
  std::optional<std::uint64_t> length;
  bool is_chunked = false;
};

base::Result<std::uint64_t> parse_length(const std::string& value, Fault fault) {
  if (value.find(',') != std::string::npos) {
    return base::fail(Code::kDuplicateContentLength, fault, "list");
  }
  const auto length = base::parse_decimal(value, kMaxLength);
  if (!length) return base::fail(Code::kBadContentLength, fault);
  return *length;
}

// What the two fields say, each at most once and never both: of two statements, the next hop may
// believe the other one.
base::Result<Stated> read_fields(Version version, const Fields& fields, Fault fault) {
  const std::string* length = nullptr;
  const std::string* encoding = nullptr;
  std::size_t lengths = 0;
  std::size_t encodings = 0;
  for (const Field& field : fields.all()) {
    if (base::equals_ignoring_case(field.name, "content-length")) {
      length = &field.value;
      ++lengths;
    } else if (base::equals_ignoring_case(field.name, "transfer-encoding")) {
      encoding = &field.value;
      ++encodings;
    }
  }
  if (lengths > 0 && encodings > 0) return base::fail(Code::kLengthAndEncoding, fault);
  if (lengths > 1) return base::fail(Code::kDuplicateContentLength, fault);
  Stated stated;
  if (length != nullptr) {
    auto parsed = parse_length(*length, fault);
    if (!parsed) return tl::unexpected(std::move(parsed.error()));
    stated.length = *parsed;
  }
  if (encoding != nullptr) {
    // RFC 9112 s. 6.1: in HTTP/1.0 the framing is faulty. The name compares without case (s. 7).
    if (encodings > 1 || version != Version::kHttp11 ||
        !base::equals_ignoring_case(*encoding, "chunked")) {
      return base::fail(Code::kBadTransferEncoding, fault);
    }
    stated.is_chunked = true;
  }
  return stated;
}

}  // namespace

base::Result<Body> request_framing(std::string_view method, Version version, const Fields& fields) {
  const auto stated = read_fields(version, fields, Fault::kClient);
  if (!stated) return tl::unexpected(stated.error());
  if (method == "CONNECT") {
    if (stated->is_chunked) {
      return base::fail(Code::kBadTransferEncoding, Fault::kClient, "body on CONNECT");
    }
    if (stated->length.value_or(0) != 0) {
      return base::fail(Code::kBadContentLength, Fault::kClient, "body on CONNECT");
    }
    return Body{};
  }
  if (stated->is_chunked) return Body{Framing::kChunked, 0};
  if (stated->length) return Body{Framing::kLength, *stated->length};
  return Body{};
}

Answers answers_to(std::string_view method) {
  if (method == "HEAD") return Answers::kHead;
  if (method == "CONNECT") return Answers::kConnect;
  return Answers::kOther;
}

base::Result<Body> response_framing(Answers answers, int status, Version version,
                                    const Fields& fields) {
  const auto stated = read_fields(version, fields, Fault::kOrigin);
  if (!stated) return tl::unexpected(stated.error());
  if (status < 200 || status == 204) {
    if (stated->is_chunked) {
      return base::fail(Code::kBadTransferEncoding, Fault::kOrigin, "body on 1xx or 204");
    }
    if (stated->length.value_or(0) != 0) {
      return base::fail(Code::kBadContentLength, Fault::kOrigin, "body on 1xx or 204");
    }
    return Body{};
  }
  if (answers == Answers::kHead || status == 304 ||
      (answers == Answers::kConnect && status < 300)) {
    return Body{};
  }
  if (stated->is_chunked) return Body{Framing::kChunked, 0};
  if (stated->length) return Body{Framing::kLength, *stated->length};
  return Body{Framing::kUntilClose, 0};
}

}  // namespace leash::http
