// Reads the lines of a log file: plain, gzip or zstd, told apart by their first bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace leash::audit {

inline constexpr std::size_t kMaxLineBytes = 64 * 1024 * 1024;

struct LogLine {
  std::string_view text;     // without its end of line; valid until the next call
  std::uint64_t number = 0;  // from 1, in this file
  bool is_ended = true;      // false: the file ends without an end of line
};

// Bytes in the order of the file. Errors: io, bad_encoding.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Up to `size` bytes; 0 at the end.
  [[nodiscard]] virtual base::Result<std::size_t> read(char* to, std::size_t size) = 0;
};

// Unpacks what `packed` gives where it begins as gzip (RFC 1952, also several members) or zstd (RFC
// 8878, also several frames) does; gives it on as it is otherwise. A file that ends before its last
// frame does is bad_encoding.
[[nodiscard]] std::unique_ptr<ByteSource> unpack(std::unique_ptr<ByteSource> packed);

class LogReader {
 public:
  // Errors: io.
  [[nodiscard]] static base::Result<LogReader> open(const std::string& path);
  explicit LogReader(std::unique_ptr<ByteSource> source,
                     std::size_t max_line_bytes = kMaxLineBytes);

  // nullopt at the end. Errors: io, bad_encoding, excess_bytes (a longer line); nothing can be read
  // after one.
  [[nodiscard]] base::Result<std::optional<LogLine>> next();

  // How much of the file has been read, as it is packed; 0 where no file was opened here.
  [[nodiscard]] std::uint64_t file_bytes() const { return count_ == nullptr ? 0 : *count_; }

 private:
  base::Result<void> fill();

  std::unique_ptr<ByteSource> source_;
  const std::uint64_t* count_ = nullptr;  // within source_
  std::size_t max_line_bytes_;
  std::string buffer_;
  std::size_t begin_ = 0;     // of the line to come
  std::size_t searched_ = 0;  // up to here there is no end of line
  std::size_t end_ = 0;       // of what was read
  bool is_at_end_ = false;
  std::uint64_t number_ = 0;
};

}  // namespace leash::audit
