#include "console/line_fetcher.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "console/plain_lines.h"

namespace leash::console {
namespace {

tl::unexpected<base::Error> gone() {
  return base::fail(base::Code::kIo, base::Fault::kProxy, "the line is not in the log any more");
}

bool is_packed(int fd) {
  unsigned char head[4] = {};
  if (::pread(fd, head, sizeof head, 0) < 4) return false;
  return (head[0] == 0x1f && head[1] == 0x8b) ||
         (head[0] == 0x28 && head[1] == 0xb5 && head[2] == 0x2f && head[3] == 0xfd);
}

}  // namespace

base::Result<std::string> LineFetcher::fetch(const std::string& path, std::uint64_t position) {
  base::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.is_open()) return gone();
  if (is_packed(fd.get())) return fetch_packed(path, position);
  PlainLines lines(std::move(fd), position);
  std::optional<std::string> found;
  const auto done = lines.read([&found](std::string_view line, std::uint64_t) {
    found = std::string(line);
    return false;
  });
  if (!done) return tl::unexpected(done.error());
  if (!found) return gone();
  return std::move(*found);
}

base::Result<std::string> LineFetcher::fetch_packed(const std::string& path,
                                                    std::uint64_t position) {
  if (!packed_ || packed_path_ != path || packed_position_ > position) {
    auto reader = audit::LogReader::open(path);
    if (!reader) return tl::unexpected(reader.error());
    packed_.emplace(std::move(*reader));
    packed_path_ = path;
    packed_position_ = 0;
  }
  for (std::uint64_t lines = 0;; ++lines) {
    if (lines % 1'024 == 0 && std::chrono::steady_clock::now() >= deadline_) {
      return base::fail(base::Code::kTimeout, base::Fault::kProxy,
                        "unpacking the rotated log took too long");
    }
    const auto line = packed_->next();
    if (!line) return tl::unexpected(line.error());
    if (!*line) return gone();
    const std::uint64_t at = packed_position_;
    packed_position_ += (*line)->text.size() + 1;
    if (at == position) return std::string((*line)->text);
    if (at > position) return gone();
  }
}

}  // namespace leash::console
