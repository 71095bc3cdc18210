// The policy directory as the console reads and changes it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/agents_file.h"
#include "config/policy_files.h"
#include "console/policy_history.h"
#include "console/policy_json.h"
#include "policy/snapshot.h"

namespace leash::console {

// A policy that somebody thinks of, beside the one in force.
struct ProposedPolicy {
  std::shared_ptr<const policy::Snapshot> present;
  std::shared_ptr<const policy::Snapshot> proposed;
  std::vector<config::Finding> findings;  // of the proposed one
};

// Works on the files alone, as leashctl does. Thread-safe: changes are made one at a time.
class PolicyDesk {
 public:
  PolicyDesk(std::string dir, PolicyHistory& history);

  // A missing or wrong mode file is enforce.
  [[nodiscard]] policy::Mode mode() const;
  [[nodiscard]] base::Result<void> set_mode(policy::Mode mode, const std::string& who);

  // GET /api/policy. Errors: bad_policy where a file cannot be read.
  [[nodiscard]] base::Result<std::string> policy_json() const;
  // All findings there are, those of agents.yaml and of modes included.
  [[nodiscard]] std::vector<config::Finding> findings() const;
  struct Counts {
    std::size_t enforce = 0;
    std::size_t blocklist = 0;
    std::size_t agents = 0;
  };
  [[nodiscard]] Counts counts() const;

  // Errors: bad_config, bad_policy, io.
  [[nodiscard]] base::Result<void> apply(const PolicyChange& change, const std::string& who);
  // Puts a text that somebody has edited in a file's place. Errors: bad_policy with the fault
  // kClient where the text is none (see `findings`), kOrigin where the file is not the one with
  // `etag` any more; io.
  [[nodiscard]] base::Result<void> put_file(config::PolicyList list, const std::string& text,
                                            const std::string& etag, const std::string& who,
                                            std::vector<config::Finding>& findings);
  // Takes the newest change of a file back. Errors: bad_config where it is not the newest.
  [[nodiscard]] base::Result<void> undo(const PolicyRevision& change, const std::string& who);

  // What the files would say after the changes, or with these texts in their place
  // ("enforce.yaml"). Errors: bad_config, bad_policy.
  [[nodiscard]] base::Result<ProposedPolicy> propose(
      const std::vector<PolicyChange>& changes, const std::map<std::string, std::string>& texts,
      std::optional<policy::Mode> mode) const;

  [[nodiscard]] const std::string& dir() const { return dir_; }
  // Notes changes that others have made.
  void look() { history_.look(dir_, "outside the console"); }

 private:
  const std::string dir_;
  PolicyHistory& history_;
  std::mutex mutex_;
};

// Tells one text of a file from another.
[[nodiscard]] std::string text_etag(std::string_view text);

}  // namespace leash::console
