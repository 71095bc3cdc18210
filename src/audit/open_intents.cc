#include "audit/open_intents.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "audit/log_reader.h"
#include "audit/rotated_name.h"
#include "base/fd.h"
#include "base/text.h"

namespace leash::audit {
namespace {

constexpr std::uint64_t kPackedRatio = 16;

// The value of a string field that holds no escapes. Quotes inside of strings are escaped, so a key
// with its own is the field and not the content of one.
std::string_view value_behind(std::string_view line, std::size_t key, std::size_t key_size) {
  if (key == std::string_view::npos) return {};
  const std::size_t start = key + key_size;
  const std::size_t end = line.find('"', start);
  return end == std::string_view::npos ? std::string_view() : line.substr(start, end - start);
}

std::string_view value_of(std::string_view line, std::string_view key) {
  return value_behind(line, line.find(key), key.size());
}

// It stands right behind the time.
std::string_view event_of(std::string_view line) {
  constexpr std::string_view kKey = ", \"event\": \"";
  const std::string_view head = line.substr(0, 96);
  return value_behind(head, head.find(kKey), kKey.size());
}

// It stands behind the bodies, so it is looked for from the end.
std::string_view id_of(std::string_view line) {
  constexpr std::string_view kKey = ", \"id\": \"";
  return value_behind(line, line.rfind(kKey), kKey.size());
}

std::uint64_t seq_of(std::string_view line) {
  constexpr std::string_view kKey = ", \"seq\": ";
  const std::size_t key = line.rfind(kKey);
  if (key == std::string_view::npos) return 0;
  const std::string_view rest = line.substr(key + kKey.size());
  return base::parse_decimal(rest.substr(0, rest.find(','))).value_or(0);
}

// A file from an offset on.
class EndOfFile : public ByteSource {
 public:
  EndOfFile(base::Fd fd, std::uint64_t offset) : fd_(std::move(fd)), offset_(offset) {}

  base::Result<std::size_t> read(char* to, std::size_t size) override {
    ssize_t count = -1;
    do {
      count = ::pread(fd_.get(), to, size, static_cast<off_t>(offset_));
    } while (count < 0 && errno == EINTR);
    if (count < 0) return base::fail(base::Code::kIo, base::Fault::kProxy, base::errno_text(errno));
    offset_ += static_cast<std::uint64_t>(count);
    return static_cast<std::size_t>(count);
  }

 private:
  base::Fd fd_;
  std::uint64_t offset_;
};

struct Piece {
  std::string path;
  std::uint64_t offset = 0;
};

// The files to read, the oldest first, and where to begin in it.
struct LookBack {
  std::vector<Piece> pieces;
  bool is_whole = true;  // it reaches the beginning of all there is
};

LookBack plan(const std::string& path, std::uint64_t bytes) {
  std::vector<std::pair<std::string, bool>> files;  // the newest first; whether it is packed
  files.emplace_back(path, false);
  const auto rotated = rotated_files(path);
  for (auto name = rotated.rbegin(); name != rotated.rend(); ++name) {
    files.emplace_back(name->path, name->is_packed);
  }
  LookBack out;
  std::uint64_t left = bytes;
  for (const auto& [file, is_packed] : files) {
    struct stat status {};
    // A FIFO must not be waited on.
    if (::stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    const std::uint64_t cost = is_packed ? size * kPackedRatio : size;
    if (cost <= left) {
      out.pieces.push_back({file, 0});
      left -= cost;
      continue;
    }
    out.is_whole = false;
    if (!is_packed && left > 0) out.pieces.push_back({file, size - left});
    break;
  }
  std::reverse(out.pieces.begin(), out.pieces.end());
  return out;
}

base::Result<LogReader> open_piece(const Piece& piece) {
  if (piece.offset == 0) return LogReader::open(piece.path);
  base::Fd fd(::open(piece.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) return base::fail(base::Code::kIo, base::Fault::kProxy, piece.path);
  return LogReader(std::make_unique<EndOfFile>(std::move(fd), piece.offset));
}

}  // namespace

// Ids begin with their run.
void OpenIntents::end_run(std::string_view run) {
  if (run.empty()) return;
  const std::string prefix = std::string(run) + '-';
  for (auto& [id, open] : open_) {
    if (id.starts_with(prefix)) open.run = kEnded;
  }
}

void OpenIntents::add(std::string_view line) {
  const std::string_view event = event_of(line);
  if (event == "start") {
    ++starts_;
    // The run before goes on until its own stop (an upgrade).
    if (value_of(line, ", \"takes_over\": \"").empty()) {
      ++run_;
      overlaps_ = 0;
    } else {
      ++overlaps_;
    }
    return;
  }
  if (event == "stop") {
    if (overlaps_ == 0) {
      ++run_;
    } else {
      --overlaps_;
      end_run(value_of(line, ", \"run\": \""));
    }
    return;
  }
  const bool is_intent = event == "request" || event == "connect_allowed";
  const bool is_outcome =
      event == "allowed" || event == "blocked" || event == "error" || event == "tunnel_closed";
  if (!is_intent && !is_outcome) return;
  const std::string_view id = id_of(line);
  if (id.empty()) return;
  if (is_outcome) {
    open_.erase(std::string(id));
    return;
  }
  open_[std::string(id)] = {++count_, run_, keep_ == Keep::kLines ? std::string(line) : ""};
}

std::vector<OpenIntents::Intent> OpenIntents::intents() const {
  std::vector<std::pair<std::uint64_t, Intent>> sorted;
  sorted.reserve(open_.size());
  for (const auto& [id, open] : open_) {
    sorted.emplace_back(open.number, Intent{id, open.line, open.run != run_});
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Intent> out;
  out.reserve(sorted.size());
  for (auto& [number, intent] : sorted) out.push_back(std::move(intent));
  return out;
}

LeftOpen find_left_open(const std::string& path, std::uint64_t look_back) {
  const LookBack files = plan(path, look_back);
  OpenIntents open(OpenIntents::Keep::kIds);
  std::uint64_t first_seq = 0;
  for (const Piece& piece : files.pieces) {
    auto reader = open_piece(piece);
    if (!reader) continue;
    bool is_cut = piece.offset > 0;  // the first line is a piece of one
    for (;;) {
      const auto line = reader->next();
      if (!line || !*line) break;
      if (std::exchange(is_cut, false) || !(*line)->is_ended) continue;
      if (first_seq == 0) first_seq = seq_of((*line)->text);
      const std::uint64_t starts = open.starts();
      open.add((*line)->text);
      // What was open before is on record in that line, or in one before it.
      if (open.starts() != starts) open.clear();
    }
  }
  LeftOpen out;
  out.count = open.size();
  for (OpenIntents::Intent& intent : open.intents()) {
    if (out.ids.size() == LeftOpen::kMaxShown) break;
    out.ids.push_back(std::move(intent.id));
  }
  if (!files.is_whole && open.starts() == 0) out.from_seq = first_seq;
  return out;
}

}  // namespace leash::audit
