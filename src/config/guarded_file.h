// Files that someone else may be replacing, or have replaced by something else, while we read.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leash::config {

inline constexpr std::size_t kMostFileBytes = std::size_t{64} * 1024 * 1024;

// What tells one state of a file from another.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;

  [[nodiscard]] static FileStamp of(const struct stat& info);
  [[nodiscard]] bool is_same_file(const FileStamp& other) const {
    return device == other.device && inode == other.inode;
  }
  bool operator==(const FileStamp&) const = default;
};

// nullopt with `error` 0: there is none; with an errno: it cannot be told.
struct StampResult {
  std::optional<FileStamp> stamp;
  int error = 0;
  bool operator==(const StampResult&) const = default;
};
// Follows symlinks (config maps are made of them).
[[nodiscard]] StampResult stamp_of(const std::string& path);

// What a list file named in a policy may be: below the directory even after symlinks, where the
// kernel can hold it there.
enum class Confine { kNo, kBelowDirectory };

struct FileText {
  enum class State { kRead, kMissing, kUnusable };
  State state = State::kMissing;
  std::string text;
  FileStamp stamp;       // from before the reading began; kRead only
  bool is_torn = false;  // it changed while it was read
  std::string error;     // kUnusable: why
};
// Regular files of at most 64 MiB; never blocks on a FIFO, never opens a device.
[[nodiscard]] FileText read_guarded(const std::string& dir, const std::string& name,
                                    Confine confine = Confine::kNo,
                                    std::size_t most_bytes = kMostFileBytes);

}  // namespace leash::config
