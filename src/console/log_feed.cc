#include "console/log_feed.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "audit/log_reader.h"
#include "audit/rotated_name.h"
#include "base/log.h"
#include "base/text.h"
#include "insight/rotated_logs.h"
#include "tls/digest.h"

namespace leash::console {
namespace {

constexpr std::size_t kHeadBytes = 512;

base::Fd open_log(const std::string& path) {
  return base::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

std::string head_of(int fd) {
  std::string head(kHeadBytes, '\0');
  const ssize_t got = ::pread(fd, head.data(), head.size(), 0);
  head.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return head;
}

// gzip or zstd by its first bytes.
bool is_packed(std::string_view head) {
  return head.starts_with("\x1f\x8b") || head.starts_with("\x28\xb5\x2f\xfd");
}

// What a file is known by: its first whole line, which rotation and packing leave as it is.
std::optional<std::string> key_of(const std::string& path) {
  auto reader = audit::LogReader::open(path);
  if (!reader) return std::nullopt;
  const auto line = reader->next();
  if (!line || !*line || !(*line)->is_ended) return std::nullopt;
  return tls::hex(tls::sha256((*line)->text));
}

bool is_same(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

}  // namespace

struct LogFeed::Source {
  std::uint32_t file = 0;
  std::string path;
  std::uint64_t done = 0;  // unpacked
  std::uint64_t size = 0;  // on disk
  bool is_live = false;
  std::unique_ptr<PlainLines> plain;
  std::optional<audit::LogReader> packed;
  std::uint64_t packed_position = 0;

  [[nodiscard]] std::uint64_t bytes_read() const {
    if (plain) return plain->position();
    return packed ? packed->file_bytes() : 0;
  }
};

LogFeed::LogFeed(std::string log, IndexWriter& writer)
    : log_(std::move(log)), folder_(audit::folder_of(log_)), writer_(writer) {}

LogFeed::~LogFeed() = default;

std::uint64_t LogFeed::bytes_done() const {
  std::uint64_t done = bytes_before_;
  for (const auto& source : sources_) done += std::min(source->bytes_read(), source->size);
  if (live_) done += live_->position();
  return std::min(done, bytes_total_);
}

// The file under the log's name is the one that is being read, and has only grown.
bool LogFeed::is_live_unchanged() {
  struct stat now {};
  if (::stat(log_.c_str(), &now) != 0) return !live_;
  if (now.st_ino != live_stat_.st_ino || now.st_dev != live_stat_.st_dev) return false;
  if (!live_) return now.st_size == live_stat_.st_size;
  if (static_cast<std::uint64_t>(now.st_size) < live_->position()) return false;
  if (!head_of(live_->fd()).starts_with(live_head_)) return false;
  bytes_total_ += static_cast<std::uint64_t>(std::max<off_t>(0, now.st_size - live_stat_.st_size));
  live_stat_ = now;
  return true;
}

base::Result<void> LogFeed::look() {
  struct stat folder {};
  if (::stat(folder_.c_str(), &folder) != 0) {
    // The log's folder may come later.
    return {};
  }
  if (!sources_.empty()) return {};  // first what is known
  const bool is_unchanged = is_live_unchanged();
  if (has_scanned_ && is_unchanged && is_same(folder.st_mtim, folder_time_)) return {};
  folder_time_ = folder.st_mtim;
  has_scanned_ = true;
  return scan();
}

void LogFeed::add_source(const std::string& path, bool is_live) {
  struct stat info {};
  base::Fd fd = open_log(path);
  if (!fd.is_open() || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return;
  const auto size = static_cast<std::uint64_t>(info.st_size);
  bytes_total_ += size;
  if (is_live) live_stat_ = info;
  const auto key = key_of(path);
  if (!key) {
    // No whole line yet, or not to be read: nothing is concluded from that.
    if (size > 0) unreadable_.push_back(path);
    return;
  }
  auto source = std::make_unique<Source>();
  source->file = writer_.file_id(*key, path);
  source->path = path;
  source->size = size;
  source->is_live = is_live;
  present_.push_back(source->file);
  bool is_whole = false;
  for (const KnownFile& known : writer_.files()) {
    if (known.id != source->file) continue;
    source->done = known.done;
    is_whole = known.is_whole;
  }
  // Somebody is copying the log before he cuts it: it is read under its own name.
  std::erase_if(sources_, [&](const auto& other) { return other->file == source->file; });
  const std::string head = head_of(fd.get());
  if (is_packed(head)) {
    if (is_whole) {
      bytes_before_ += size;
      return;
    }
    auto reader = audit::LogReader::open(path);
    if (!reader) return;
    source->packed.emplace(std::move(*reader));
  } else {
    source->plain = std::make_unique<PlainLines>(std::move(fd), source->done);
  }
  if (is_live) {
    live_head_ = head;
    live_file_ = source->file;
  }
  sources_.push_back(std::move(source));
}

base::Result<void> LogFeed::scan() {
  auto before = insight::files_before(log_);
  if (!before) return tl::unexpected(before.error());
  sources_.clear();
  live_.reset();
  bytes_total_ = bytes_before_ = 0;
  present_.clear();
  unreadable_.clear();
  live_stat_ = {};
  for (const std::string& path : *before) add_source(path, false);
  add_source(log_, true);
  std::vector<std::uint32_t> gone;
  for (const KnownFile& known : writer_.files()) {
    const bool is_there =
        std::find(present_.begin(), present_.end(), known.id) != present_.end() ||
        std::find(unreadable_.begin(), unreadable_.end(), known.path) != unreadable_.end();
    if (!is_there) gone.push_back(known.id);
  }
  writer_.drop_files(gone);
  return {};
}

// True: it has been read to its end.
base::Result<bool> LogFeed::read_source(Source& source, std::size_t& left,
                                        const std::function<void(const Line&)>& on_line) {
  if (source.plain) {
    const auto done = source.plain->read([&](std::string_view text, std::uint64_t position) {
      on_line({text, source.file, position});
      return --left > 0;
    });
    if (!done) return tl::unexpected(done.error());
    if (source.done != source.plain->position()) {
      source.done = source.plain->position();
      writer_.set_done(source.file, source.done);
    }
    return left > 0;
  }
  while (left > 0) {
    const auto line = source.packed->next();
    if (!line) return tl::unexpected(line.error());
    if (!*line) return true;
    const std::uint64_t position = source.packed_position;
    source.packed_position += (*line)->text.size() + 1;
    if (position < source.done || !(*line)->is_ended) continue;
    on_line({(*line)->text, source.file, position});
    source.done = source.packed_position;
    --left;
  }
  writer_.set_done(source.file, source.done);
  return false;
}

base::Result<bool> LogFeed::read(std::size_t most,
                                 const std::function<void(const Line&)>& on_line) {
  std::size_t left = most;
  while (!sources_.empty()) {
    Source& source = *sources_.front();
    const auto is_done = read_source(source, left, on_line);
    if (!is_done) {
      const std::string text = source.path + ": " + is_done.error().text();
      bytes_before_ += source.size;
      sources_.erase(sources_.begin());
      return base::fail(is_done.error().code, base::Fault::kProxy, text);
    }
    if (!*is_done) return true;
    if (source.packed) writer_.set_whole(source.file, source.done);
    bytes_before_ += source.size;
    if (source.is_live) {
      live_ = std::move(source.plain);
      bytes_before_ -= source.size;
    }
    sources_.erase(sources_.begin());
  }
  if (!live_) return false;
  const std::uint64_t start = live_->position();
  const auto done = live_->read([&](std::string_view text, std::uint64_t position) {
    on_line({text, live_file_, position});
    return --left > 0;
  });
  if (!done) return tl::unexpected(done.error());
  if (live_->position() != start) writer_.set_done(live_file_, live_->position());
  return left == 0;
}

}  // namespace leash::console
