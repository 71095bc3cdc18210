#include "audit/rotated_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "base/text.h"

namespace leash::audit {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = ".seq";
constexpr std::size_t kDigits = 12;

std::optional<RotatedName> parse(std::string_view log_name, std::string_view name) {
  if (!name.starts_with(log_name)) return std::nullopt;
  name.remove_prefix(log_name.size());
  if (!name.starts_with(kMark)) return std::nullopt;
  name.remove_prefix(kMark.size());
  RotatedName found;
  if (name.ends_with(kPackedSuffix)) {
    found.is_packed = true;
    name.remove_suffix(kPackedSuffix.size());
  }
  if (name.size() < kDigits) return std::nullopt;
  const auto seq = base::parse_decimal(name);
  if (!seq) return std::nullopt;
  found.last_seq = *seq;
  return found;
}

}  // namespace

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string rotated_path(const std::string& log, std::uint64_t last_seq) {
  return fmt::format("{}{}{:0{}}", log, kMark, last_seq, kDigits);
}

std::vector<RotatedName> rotated_files(const std::string& log) {
  std::vector<RotatedName> out;
  const std::string log_name = fs::path(log).filename().string();
  std::error_code error;
  for (fs::directory_iterator entry(folder_of(log), error), end; !error && entry != end;
       entry.increment(error)) {
    auto found = parse(log_name, entry->path().filename().string());
    std::error_code ignored;
    if (!found || !entry->is_regular_file(ignored)) continue;
    found->path = entry->path().string();
    out.push_back(std::move(*found));
  }
  std::sort(out.begin(), out.end(), [](const RotatedName& a, const RotatedName& b) {
    return a.last_seq != b.last_seq ? a.last_seq < b.last_seq : a.path < b.path;
  });
  return out;
}

}  // namespace leash::audit
