#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>

#include "http/decoders.h"

namespace leash::http {
namespace {

constexpr int kGzipWindow = 15 + 16;
constexpr int kZlibWindow = 15;
constexpr int kRawWindow = -15;

class Inflater {
 public:
  explicit Inflater(int window_bits) : is_ready_(inflateInit2(&stream_, window_bits) == Z_OK) {}
  ~Inflater() {
    if (is_ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // One gzip member or one deflate stream; what is left of `in` stands behind its end.
  DecodeEnd run(std::string_view& in, std::size_t max_bytes, std::string& out) {
    if (!is_ready_) return DecodeEnd::kMalformed;
    const std::size_t start = out.size();
    std::array<Bytef, 16384> piece;
    for (;;) {
      const auto fed =
          static_cast<uInt>(std::min<std::size_t>(in.size(), std::numeric_limits<uInt>::max()));
      stream_.next_in = reinterpret_cast<z_const Bytef*>(const_cast<char*>(in.data()));
      stream_.avail_in = fed;
      stream_.next_out = piece.data();
      stream_.avail_out = piece.size();
      const int rc = inflate(&stream_, Z_NO_FLUSH);
      in.remove_prefix(fed - stream_.avail_in);
      const std::size_t made = piece.size() - stream_.avail_out;
      const std::size_t room = max_bytes - (out.size() - start);
      out.append(reinterpret_cast<const char*>(piece.data()), std::min(made, room));
      if (made > room) return DecodeEnd::kCut;
      if (rc == Z_STREAM_END) return DecodeEnd::kWhole;
      if (rc == Z_BUF_ERROR) return DecodeEnd::kCut;
      if (rc != Z_OK) return DecodeEnd::kMalformed;
    }
  }

 private:
  z_stream stream_{};
  bool is_ready_;
};

}  // namespace

DecodeEnd inflate_gzip(std::string_view in, std::size_t max_bytes, std::string& out) {
  const std::size_t start = out.size();
  bool is_first = true;
  // Members may follow each other (RFC 1952 s. 2.2); what is no member, padding say, ends the data.
  while (is_first || in.starts_with("\x1f\x8b")) {
    Inflater inflater(kGzipWindow);
    const auto end = inflater.run(in, max_bytes - (out.size() - start), out);
    if (end != DecodeEnd::kWhole) return end;
    is_first = false;
  }
  return DecodeEnd::kWhole;
}

DecodeEnd inflate_deflate(std::string_view in, std::size_t max_bytes, std::string& out) {
  const std::size_t start = out.size();
  std::string_view rest = in;
  Inflater with_header(kZlibWindow);
  const auto end = with_header.run(rest, max_bytes, out);
  if (end != DecodeEnd::kMalformed || out.size() > start) return end;
  Inflater raw(kRawWindow);
  return raw.run(in, max_bytes, out);
}

}  // namespace leash::http
