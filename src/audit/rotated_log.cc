#include "audit/rotated_log.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "audit/log_reader.h"
#include "audit/rotated_name.h"

namespace leash::audit {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTried = 8;
constexpr std::size_t kMaxUnsigned = 64 * 1024;

struct Candidate {
  fs::file_time_type time;
  std::string path;
};

// Those that somebody else has moved: only their time tells which is the newest.
std::vector<Candidate> moved_by_others(const fs::path& path) {
  std::vector<Candidate> out;
  const std::string name = path.filename().string();
  const std::string folder = folder_of(path.string());
  const std::vector<RotatedName> ours = rotated_files(path.string());
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string other = entry->path().filename().string();
    if (other.size() <= name.size() || !other.starts_with(name)) continue;
    const char next = other[name.size()];
    std::error_code ignored;
    if ((next != '.' && next != '-') || !entry->is_regular_file(ignored)) continue;
    const bool is_ours = std::any_of(ours.begin(), ours.end(), [&](const RotatedName& file) {
      return file.path == entry->path().string();
    });
    if (is_ours) continue;
    out.push_back({entry->last_write_time(ignored), entry->path().string()});
  }
  std::sort(out.begin(), out.end(),
            [](const Candidate& a, const Candidate& b) { return a.time > b.time; });
  if (out.size() > kMaxTried) out.resize(kMaxTried);
  return out;
}

// From the beginning, since it may be packed: a start after a rotation is rare.
std::optional<LogTail> tail_of(const std::string& path) {
  auto reader = LogReader::open(path);
  if (!reader) return std::nullopt;
  LogTail tail;
  for (;;) {
    auto line = reader->next();
    if (!line) return std::nullopt;
    if (!*line) break;
    const auto chained = (*line)->is_ended ? split_line((*line)->text) : std::nullopt;
    if (!chained) continue;
    if (is_checkpoint((*line)->text) || chained->seq != tail.seq + 1 ||
        tail.unsigned_lines.size() == kMaxUnsigned) {
      tail.unsigned_lines.clear();
    }
    if (!is_checkpoint((*line)->text)) tail.unsigned_lines.push_back(chained->chain);
    tail.seq = chained->seq;
    tail.chain = chained->chain;
  }
  if (tail.seq == 0) return std::nullopt;
  return tail;
}

}  // namespace

std::optional<LogTail> tail_of_rotated(const std::string& path) {
  std::optional<LogTail> theirs;
  for (const Candidate& candidate : moved_by_others(path)) {
    theirs = tail_of(candidate.path);
    if (theirs) break;
  }
  // Ours tell by their names which is the newest, so that a clock that was set back misleads
  // nobody.
  std::optional<LogTail> ours;
  const std::vector<RotatedName> files = rotated_files(path);
  for (std::size_t i = files.size(); i > 0 && files.size() - i < kMaxTried; --i) {
    const RotatedName& file = files[i - 1];
    if (theirs && theirs->seq >= file.last_seq) break;
    ours = tail_of(file.path);
    // Packed since its name was read: another process, from which this one takes over, does that.
    if (!ours && !file.is_packed) ours = tail_of(file.path + std::string(kPackedSuffix));
    if (ours) break;
  }
  if (!ours) return theirs;
  return theirs && theirs->seq > ours->seq ? theirs : ours;
}

}  // namespace leash::audit
