// Intents of a log that have no outcome: requests and tunnels that are under way, or were when
// leash was killed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace leash::audit {

// Takes lines in the order of the log. Goes by the layout that leash writes; other lines, and those
// of the original, which have no id, are passed over.
class OpenIntents {
 public:
  enum class Keep { kIds, kLines };
  explicit OpenIntents(Keep keep) : keep_(keep) {}

  void add(std::string_view line);

  struct Intent {
    std::string id;
    std::string line;      // empty with Keep::kIds
    bool is_left = false;  // a start or stop stands behind it: it is not under way any more
  };
  // In the order of the log.
  [[nodiscard]] std::vector<Intent> intents() const;
  [[nodiscard]] std::size_t size() const { return open_.size(); }
  // How many starts have been seen.
  [[nodiscard]] std::uint64_t starts() const { return starts_; }
  // Forgets what is open.
  void clear() { open_.clear(); }

 private:
  struct Open {
    std::uint64_t number = 0;  // orders them
    std::uint64_t run = 0;
    std::string line;
  };
  Keep keep_;
  std::unordered_map<std::string, Open> open_;
  std::uint64_t count_ = 0;
  static constexpr std::uint64_t kEnded = UINT64_MAX;
  void end_run(std::string_view run);
  std::uint64_t run_ = 0;       // counts starts and stops
  std::uint64_t overlaps_ = 0;  // runs that a later one has taken over from, and that go on
  std::uint64_t starts_ = 0;
};

// What the last run left open when it ended.
struct LeftOpen {
  std::uint64_t count = 0;
  std::vector<std::string> ids;  // the oldest, kMaxShown at most
  // The look back ended at this line, not at the run's start: there may be more. 0: it did not.
  std::uint64_t from_seq = 0;

  static constexpr std::size_t kMaxShown = 20;
};
inline constexpr std::uint64_t kLeftOpenLookBack = 64 * 1024 * 1024;

// Looks at the end of the log `path` and of the files that leash has rotated it into, `look_back`
// bytes at most (a packed file counts as 16 times its size). Call it before the log is opened for
// writing. What cannot be read is as if it were not there.
[[nodiscard]] LeftOpen find_left_open(const std::string& path,
                                      std::uint64_t look_back = kLeftOpenLookBack);

}  // namespace leash::audit
