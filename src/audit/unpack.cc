#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "audit/log_reader.h"
#include "base/free_with.h"

namespace leash::audit {
namespace {

constexpr std::size_t kPackedBytes = 256 * 1024;

tl::unexpected<base::Error> bad_encoding(std::string detail) {
  return base::fail(base::Code::kBadEncoding, base::Fault::kProxy, std::move(detail));
}

// The packed bytes on their way into a decoder.
struct Packed {
  explicit Packed(std::unique_ptr<ByteSource> from) : source(std::move(from)) {}

  // Reads on where all was used. False at the end.
  base::Result<bool> refill() {
    if (used < size) return true;
    bytes.resize(kPackedBytes);
    auto count = source->read(bytes.data(), bytes.size());
    if (!count) return tl::unexpected(count.error());
    used = 0;
    size = *count;
    return size > 0;
  }

  std::unique_ptr<ByteSource> source;
  std::string bytes;
  std::size_t used = 0;
  std::size_t size = 0;
};

class PlainSource : public ByteSource {
 public:
  explicit PlainSource(Packed packed) : packed_(std::move(packed)) {}

  base::Result<std::size_t> read(char* to, std::size_t size) override {
    if (packed_.used == packed_.size) return packed_.source->read(to, size);
    const std::size_t count = std::min(size, packed_.size - packed_.used);
    std::memcpy(to, packed_.bytes.data() + packed_.used, count);
    packed_.used += count;
    return count;
  }

 private:
  Packed packed_;
};

class GzipSource : public ByteSource {
 public:
  explicit GzipSource(Packed packed) : packed_(std::move(packed)) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    is_ready_ = ::inflateInit2(&stream_, kGzipOnly) == Z_OK;
  }
  ~GzipSource() override {
    if (is_ready_) ::inflateEnd(&stream_);
  }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  base::Result<std::size_t> read(char* to, std::size_t size) override {
    if (!is_ready_) return bad_encoding("no memory for gzip");
    stream_.next_out = reinterpret_cast<Bytef*>(to);
    stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(size, 1U << 30));
    const uInt wanted = stream_.avail_out;
    while (stream_.avail_out == wanted) {
      auto more = packed_.refill();
      if (!more) return tl::unexpected(more.error());
      if (!*more) {
        if (is_between_) return std::size_t{0};
        return bad_encoding("the gzip file ends in the middle");
      }
      if (is_between_ && ::inflateReset(&stream_) != Z_OK) return bad_encoding("gzip");
      is_between_ = false;
      stream_.next_in = reinterpret_cast<const Bytef*>(packed_.bytes.data() + packed_.used);
      stream_.avail_in = static_cast<uInt>(packed_.size - packed_.used);
      const int result = ::inflate(&stream_, Z_NO_FLUSH);
      packed_.used = packed_.size - stream_.avail_in;
      if (result == Z_STREAM_END) {
        is_between_ = true;
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        return bad_encoding("broken gzip data");
      }
    }
    return wanted - stream_.avail_out;
  }

 private:
  Packed packed_;
  z_stream stream_{};
  bool is_ready_ = false;
  bool is_between_ = false;  // behind a member
};

class ZstdSource : public ByteSource {
 public:
  explicit ZstdSource(Packed packed) : packed_(std::move(packed)), stream_(ZSTD_createDStream()) {}

  base::Result<std::size_t> read(char* to, std::size_t size) override {
    if (stream_ == nullptr) return bad_encoding("no memory for zstd");
    ZSTD_outBuffer out{to, size, 0};
    while (out.pos == 0) {
      auto more = packed_.refill();
      if (!more) return tl::unexpected(more.error());
      // Without input there may still be output that had no room.
      if (!*more && is_between_) return std::size_t{0};
      ZSTD_inBuffer in{packed_.bytes.data(), packed_.size, packed_.used};
      const std::size_t result = ZSTD_decompressStream(stream_.get(), &out, &in);
      if (ZSTD_isError(result) != 0) return bad_encoding("broken zstd data");
      packed_.used = in.pos;
      is_between_ = result == 0;
      if (!*more && out.pos == 0 && !is_between_) {
        return bad_encoding("the zstd file ends in the middle");
      }
    }
    return out.pos;
  }

 private:
  Packed packed_;
  std::unique_ptr<ZSTD_DStream, base::FreeWith<ZSTD_freeDStream>> stream_;
  bool is_between_ = false;  // behind a frame
};

// Decides at the first read, so that making one cannot fail.
class UnpackingSource : public ByteSource {
 public:
  explicit UnpackingSource(std::unique_ptr<ByteSource> packed) : packed_(std::move(packed)) {}

  base::Result<std::size_t> read(char* to, std::size_t size) override {
    if (inner_ == nullptr) {
      if (auto chosen = choose(); !chosen) return tl::unexpected(chosen.error());
    }
    return inner_->read(to, size);
  }

 private:
  base::Result<void> choose() {
    constexpr std::string_view kGzip = "\x1f\x8b";
    constexpr std::string_view kZstd = "\x28\xb5\x2f\xfd";
    Packed packed(std::move(packed_));
    packed.bytes.resize(kPackedBytes);
    while (packed.size < kZstd.size()) {
      auto count =
          packed.source->read(packed.bytes.data() + packed.size, packed.bytes.size() - packed.size);
      if (!count) return tl::unexpected(count.error());
      if (*count == 0) break;
      packed.size += *count;
    }
    const std::string_view start(packed.bytes.data(), packed.size);
    if (start.starts_with(kGzip)) {
      inner_ = std::make_unique<GzipSource>(std::move(packed));
    } else if (start.starts_with(kZstd)) {
      inner_ = std::make_unique<ZstdSource>(std::move(packed));
    } else {
      inner_ = std::make_unique<PlainSource>(std::move(packed));
    }
    return {};
  }

  std::unique_ptr<ByteSource> packed_;
  std::unique_ptr<ByteSource> inner_;
};

}  // namespace

std::unique_ptr<ByteSource> unpack(std::unique_ptr<ByteSource> packed) {
  return std::make_unique<UnpackingSource>(std::move(packed));
}

}  // namespace leash::audit
