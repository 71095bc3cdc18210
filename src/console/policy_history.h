// How the policy files came to be what they are: a copy of each state that the console has seen.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "console/database.h"

namespace leash::console {

struct PolicyRevision {
  std::uint64_t seq = 0;
  std::int64_t time_us = 0;
  std::string file;  // "enforce.yaml", "blocklist.yaml", "mode"
  std::string who;   // "operator from 10.0.0.5"; "outside the console"
  std::string before;
  std::string after;
  bool is_newest = false;  // of its file
};

// What an operator has cleared from view.
struct ClearedLog {
  std::uint64_t seq = 0;    // rows up to this
  std::uint64_t lines = 0;  // so many
};

// Beside the index, but not of it: this cannot be made anew from the log. Thread-safe.
class PolicyHistory {
 public:
  static constexpr std::size_t kMostKept = 1'000;                          // of each file
  static constexpr std::size_t kMostBytes = std::size_t{4} * 1024 * 1024;  // of a file that is kept

  // Errors: io.
  [[nodiscard]] static base::Result<std::unique_ptr<PolicyHistory>> open(const std::string& path);

  // Notes what each file says now, where that is new. The first look has nothing to compare with.
  void look(const std::string& dir, const std::string& who);

  // The newest first.
  [[nodiscard]] base::Result<std::vector<PolicyRevision>> changes(std::size_t limit);
  // nullopt: there is none with this number.
  [[nodiscard]] base::Result<std::optional<PolicyRevision>> change(std::uint64_t seq);

  [[nodiscard]] ClearedLog cleared();
  void set_cleared(const ClearedLog& cleared);

 private:
  explicit PolicyHistory(std::unique_ptr<Database> database);
  [[nodiscard]] std::vector<PolicyRevision> read(Statement& statement);
  [[nodiscard]] std::optional<std::string> last_text(std::string_view file);
  void note(const std::string& file, const std::string& text, const std::string& who);
  template <class T>
  base::Result<T> ended(T value);

  std::mutex mutex_;
  std::unique_ptr<Database> database_;
};

}  // namespace leash::console
