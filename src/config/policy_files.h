// The policy directory, re-checked at each decision.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/snapshot.h"

namespace leash::config {

struct Finding {
  std::string file;  // "enforce.yaml"
  int line = 0;      // 0: the file as a whole
  std::string text;
  bool is_error = true;  // false: a warning
  bool operator==(const Finding&) const = default;
};

// One reading of mode, enforce.yaml and blocklist.yaml: for leashctl, --check-config and
// PolicyFiles.
struct PolicyReading {
  std::shared_ptr<const policy::EntryMap> enforce;  // null: broken as a whole, or missing
  std::shared_ptr<const policy::EntryMap> blocklist;
  std::vector<std::shared_ptr<const policy::HostSet>> block_lists;  // those that could be read
  std::optional<policy::Mode> mode;  // nullopt: missing or unreadable; a wrong word is enforce
  std::vector<Finding> findings;
};
[[nodiscard]] PolicyReading read_policy(const std::string& dir);
// A warning for the directory and for each file in it that decides something and that everybody can
// write.
[[nodiscard]] std::vector<Finding> writable_policy(const std::string& dir);

// Thread-safe; every worker asks it at each decision.
class PolicyFiles {
 public:
  struct Current {
    std::shared_ptr<const policy::Snapshot> snapshot;
    // A file was rewritten in place less than 20 ms ago by our clock and may be half written: ask
    // again after this long ...
    std::chrono::milliseconds retry_after{0};
    // ... or, once a decision has waited 200 ms, allow only what both `snapshot` (the last settled
    // one) and this one allow.
    std::shared_ptr<const policy::Snapshot> unsettled;
    // A large file has changed and is being read on a thread of its own: `snapshot` is the policy
    // before it. Ask again after `retry_after`.
    bool is_loading = false;
    [[nodiscard]] bool is_settled() const { return unsettled == nullptr && !is_loading; }
  };
  struct Change {
    std::shared_ptr<const policy::Snapshot> before;
    std::shared_ptr<const policy::Snapshot> after;
    std::vector<std::string> files;     // those that were read anew
    std::vector<Finding> findings;      // all that hold now
    std::vector<Finding> new_findings;  // those that did not hold before
  };

  // Reads all three files. Never fails: broken or missing at start means enforce with no rules.
  // `on_change` is called, under no lock, on the thread that noticed, once for each effective
  // change of the snapshot or of the findings, in order; never for the first reading. Mode
  // blocklist without a usable blocklist (nor an earlier one) is enforced as enforce. `clock` is
  // for tests.
  using SteadyClock = std::function<std::chrono::steady_clock::time_point()>;
  PolicyFiles(std::string dir, std::function<void(const Change&)> on_change,
              SteadyClock clock = {});
  ~PolicyFiles();

  // Stats each file (inode, size, nanosecond mtime and ctime), reads what differs; above 64 KiB
  // another thread does, since a million hosts take half a second. A broken file keeps the last
  // good state. Regular files only, at most 64 MiB, opened without following a FIFO or blocking.
  [[nodiscard]] Current current();
  // The same without a look at the files that no decision in the present mode reads: only mode
  // blocklist reads the blocklist. What changes there counts from the next current() on.
  [[nodiscard]] Current for_decision();
  [[nodiscard]] std::vector<Finding> findings() const;
  [[nodiscard]] const std::string& dir() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace leash::config
