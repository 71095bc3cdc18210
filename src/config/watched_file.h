// One policy file over time: what of it counts now, and what may be half written.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/guarded_file.h"
#include "config/policy_content.h"

namespace leash::config {

class WatchedFile {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds kQuiet{20};

  WatchedFile(PolicyFileKind kind, std::string dir, std::string name);

  using Clock = std::function<TimePoint()>;
  // A file up to this size is read and parsed in a few milliseconds.
  static constexpr std::size_t kQuickBytes = std::size_t{64} * 1024;
  enum class Patience { kQuick, kAny };
  enum class Look {
    kSame,
    kChanged,  // what the accessors say may have changed
    kSlow,     // it has to be read, and that takes more patience; nothing was done
  };

  // Looks at the file. A new file put in its place counts at once; one rewritten in place, or
  // created where there was none, is pending until it has been quiet for kQuiet.
  Look refresh(const Clock& clock, Patience patience);

  // The last good content that counts; not usable where there never was one.
  [[nodiscard]] const PolicyContent& settled() const { return settled_; }
  // What would count if the file stayed as it is: the pending content where that is usable, else
  // settled().
  [[nodiscard]] const PolicyContent& latest() const;
  [[nodiscard]] bool is_pending() const { return pending_.has_value(); }
  // Until then nothing changes unless the stamp does.
  [[nodiscard]] TimePoint deadline() const;
  // When a pending file counts if left alone.
  [[nodiscard]] TimePoint quiet_at() const { return quiet_at_; }
  // What is wrong with the file as it is on disk; a pending one is not judged yet.
  [[nodiscard]] const std::vector<Finding>& findings() const { return findings_; }
  [[nodiscard]] bool is_missing() const { return !seen_.stamp && seen_.error == 0; }

  [[nodiscard]] const StampResult& seen() const { return seen_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  // Whether content was accepted since the last call.
  bool take_was_read();

 private:
  void look_again(const Clock& clock, const StampResult& before);
  void lose(const StampResult& seen, const std::string& why);
  void accept(PolicyContent content, std::size_t hash);

  PolicyFileKind kind_;
  std::string dir_;
  std::string name_;
  std::string path_;

  bool is_first_look_ = true;
  StampResult seen_;
  PolicyContent settled_;
  std::optional<std::size_t> accepted_hash_;  // of the text last accepted, usable or not
  struct Pending {
    PolicyContent content;
    std::size_t hash = 0;
  };
  std::optional<Pending> pending_;
  TimePoint quiet_at_{};
  // A file that was read right after it changed may change again within one tick of the kernel's
  // clock, with the same stamp.
  std::optional<TimePoint> recheck_at_;
  std::vector<Finding> findings_;
  bool was_read_ = false;
};

}  // namespace leash::config
