// The names of the files that leash itself rotates a log into.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leash::audit {

// `LOG.seq000000001234`, packed `LOG.seq000000001234.zst`: the number is the seq of the file's last
// line, so that the names sort in the order of the lines whatever the clock did, and no name that
// logrotate gives looks like one.
struct RotatedName {
  std::string path;  // with its folder
  std::uint64_t last_seq = 0;
  bool is_packed = false;  // by its name
};

inline constexpr std::string_view kPackedSuffix = ".zst";

[[nodiscard]] std::string rotated_path(const std::string& log, std::uint64_t last_seq);
// Those beside `log`, by last_seq. What cannot be read is left out.
[[nodiscard]] std::vector<RotatedName> rotated_files(const std::string& log);
// The folder of a path: "." where it names none.
[[nodiscard]] std::string folder_of(const std::string& path);

}  // namespace leash::audit
