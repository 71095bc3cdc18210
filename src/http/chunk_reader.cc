#include "http/chunk_reader.h"

#include <algorithm>

#include "http/field_lines.h"
#include "http/trailers.h"

namespace leash::http {
namespace {

using base::Code;

constexpr int kMaxDigits = 16;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Limits keep their own code; all else that is wrong in a trailer section is bad_trailer, with the
// code as detail.
tl::unexpected<base::Error> trailer_error(const base::Error& error) {
  if (error.code == Code::kHeadTooLarge || error.code == Code::kTooManyFields) {
    return base::fail(error.code, error.fault, "trailers");
  }
  return base::fail(Code::kBadTrailer, error.fault, std::string(base::word(error.code)));
}

}  // namespace

base::Result<std::optional<BodyEvent>> ChunkReader::next(std::string_view& in) {
  while (!in.empty() && state_ != State::kTrailers) {
    if (state_ == State::kData) {
      const std::string_view data = in.substr(0, std::min<std::uint64_t>(left_, in.size()));
      in.remove_prefix(data.size());
      left_ -= data.size();
      if (left_ == 0) state_ = State::kDataCr;
      return BodyBytes{data};
    }
    const char c = in.front();
    in.remove_prefix(1);
    if (auto taken = take_framing(c); !taken) return tl::unexpected(std::move(taken.error()));
  }
  if (state_ == State::kTrailers) return take_trailers(in);
  return std::nullopt;
}

base::Result<void> ChunkReader::take_framing(char c) {
  switch (state_) {
    case State::kSize:
      return take_size(c);
    case State::kSizeLf:
      if (c != '\n') return base::fail(Code::kBadChunk, fault_, "CR inside the size line");
      state_ = left_ == 0 ? State::kTrailers : State::kData;
      digits_ = 0;
      return {};
    case State::kDataCr:
      if (c != '\r') return base::fail(Code::kBadChunk, fault_, "no CR LF after the data");
      state_ = State::kDataLf;
      return {};
    case State::kDataLf:
      if (c != '\n') return base::fail(Code::kBadChunk, fault_, "no CR LF after the data");
      state_ = State::kSize;
      return {};
    case State::kData:
    case State::kTrailers:
      break;
  }
  return base::fail(Code::kInternal, base::Fault::kProxy);
}

base::Result<void> ChunkReader::take_size(char c) {
  if (const int digit = hex_value(c); digit >= 0) {
    if (++digits_ > kMaxDigits) return base::fail(Code::kBadChunk, fault_, "size too long");
    left_ = left_ << 4 | static_cast<std::uint64_t>(digit);
    return {};
  }
  if (c == '\n') return base::fail(Code::kBadLineEnd, fault_, "LF without CR after a chunk size");
  if (c == ';') return base::fail(Code::kBadChunk, fault_, "chunk extension");
  if (c != '\r' || digits_ == 0) return base::fail(Code::kBadChunk, fault_, "size");
  state_ = State::kSizeLf;
  return {};
}

base::Result<std::optional<BodyEvent>> ChunkReader::take_trailers(std::string_view& in) {
  const auto section = trailers_.take(in);
  if (!section) return trailer_error(section.error());
  if (!*section) return std::nullopt;
  auto fields = parse_field_lines(**section, max_fields_, fault_);
  if (!fields) return trailer_error(fields.error());
  trailers_.clear();
  keep_allowed_trailers(*fields);
  return MessageEnd{std::move(*fields)};
}

}  // namespace leash::http
