#include "insight/rotated_logs.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <tuple>

#include "audit/log_reader.h"
#include "insight/log_event.h"

namespace leash::insight {
namespace {

namespace fs = std::filesystem;

constexpr int kMostLinesLookedAt = 100;  // for the first event

struct Rotated {
  double first_ts = 0;
  std::optional<std::uint64_t> first_seq;
  std::string path;
  std::string first_line;
};

std::optional<Rotated> look_at(const std::string& path) {
  auto reader = audit::LogReader::open(path);
  if (!reader) return std::nullopt;
  for (int i = 0; i < kMostLinesLookedAt; ++i) {
    const auto line = reader->next();
    if (!line || !*line) return std::nullopt;
    const auto event = read_event((*line)->text);
    if (event && event->ts)
      return Rotated{*event->ts, event->seq, path, std::string((*line)->text)};
  }
  return std::nullopt;
}

}  // namespace

base::Result<std::vector<std::string>> files_before(const std::string& log) {
  const fs::path path = log;
  const std::string name = path.filename().string();
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::vector<Rotated> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string other = entry->path().filename().string();
    if (other.size() <= name.size() + 1 || !other.starts_with(name)) continue;
    const char next = other[name.size()];
    std::error_code ignored;
    if ((next != '.' && next != '-') || !entry->is_regular_file(ignored)) continue;
    if (auto rotated = look_at(entry->path().string())) found.push_back(std::move(*rotated));
  }
  if (error) {
    return base::fail(base::Code::kIo, base::Fault::kProxy,
                      folder.string() + ": " + error.message());
  }
  // A clock may have been set back; seq goes on.
  const bool has_seq = std::all_of(found.begin(), found.end(),
                                   [](const Rotated& file) { return file.first_seq.has_value(); });
  std::sort(found.begin(), found.end(), [has_seq](const Rotated& a, const Rotated& b) {
    if (has_seq && a.first_seq != b.first_seq) return a.first_seq < b.first_seq;
    return std::tie(a.first_ts, a.path) < std::tie(b.first_ts, b.path);
  });
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (i > 0 && found[i].first_line == found[i - 1].first_line) continue;
    paths.push_back(std::move(found[i].path));
  }
  return paths;
}

}  // namespace leash::insight
