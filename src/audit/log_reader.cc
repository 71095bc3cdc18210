#include "audit/log_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/fd.h"
#include "base/text.h"

namespace leash::audit {
namespace {

constexpr std::size_t kReadBytes = 128 * 1024;  // stays in the cache until it is hashed

class FileSource : public ByteSource {
 public:
  FileSource(base::Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  base::Result<std::size_t> read(char* to, std::size_t size) override {
    for (;;) {
      const ssize_t count = ::read(fd_.get(), to, size);
      if (count >= 0) {
        bytes_ += static_cast<std::uint64_t>(count);
        return static_cast<std::size_t>(count);
      }
      if (errno == EINTR) continue;
      return base::fail(base::Code::kIo, base::Fault::kProxy,
                        "cannot read " + path_ + ": " + base::errno_text(errno));
    }
  }

  [[nodiscard]] const std::uint64_t* count() const { return &bytes_; }

 private:
  base::Fd fd_;
  std::string path_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

base::Result<LogReader> LogReader::open(const std::string& path) {
  base::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) {
    return base::fail(base::Code::kIo, base::Fault::kProxy,
                      "cannot open " + path + ": " + base::errno_text(errno));
  }
  auto file = std::make_unique<FileSource>(std::move(fd), path);
  const std::uint64_t* count = file->count();
  LogReader reader(unpack(std::move(file)));
  reader.count_ = count;
  return reader;
}

LogReader::LogReader(std::unique_ptr<ByteSource> source, std::size_t max_line_bytes)
    : source_(std::move(source)), max_line_bytes_(max_line_bytes) {}

base::Result<std::optional<LogLine>> LogReader::next() {
  for (;;) {
    const char* start = buffer_.data() + begin_;
    const void* newline = searched_ < end_
                              ? std::memchr(buffer_.data() + searched_, '\n', end_ - searched_)
                              : nullptr;
    const std::size_t size =
        newline != nullptr ? static_cast<std::size_t>(static_cast<const char*>(newline) - start)
                           : end_ - begin_;
    if (size > max_line_bytes_) {
      return base::fail(base::Code::kExcessBytes, base::Fault::kProxy,
                        "line " + std::to_string(number_ + 1) + " is too long");
    }
    if (newline != nullptr || (is_at_end_ && size > 0)) {
      begin_ += size + (newline != nullptr ? 1 : 0);
      searched_ = begin_;
      return LogLine{{start, size}, ++number_, newline != nullptr};
    }
    if (is_at_end_) return std::nullopt;
    searched_ = end_;
    if (auto filled = fill(); !filled) return tl::unexpected(filled.error());
  }
}

base::Result<void> LogReader::fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    searched_ -= begin_;
    begin_ = 0;
  }
  // Twice the size for a long line, so that its bytes are moved a few times only.
  if (buffer_.size() - end_ < kReadBytes) buffer_.resize(std::max(2 * end_, end_ + kReadBytes));
  auto count = source_->read(buffer_.data() + end_, kReadBytes);
  if (!count) return tl::unexpected(count.error());
  end_ += *count;
  is_at_end_ = *count == 0;
  return {};
}

}  // namespace leash::audit
