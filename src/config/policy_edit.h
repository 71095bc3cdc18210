// Changes to the policy files that keep comments, order, unknown keys and reasons.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "policy/snapshot.h"

namespace leash::config {

enum class PolicyList { kEnforce, kBlocklist };

struct EntryChange {
  std::string host;                  // as the operator wrote it; validated
  std::vector<std::uint16_t> ports;  // empty: the list's default
  std::string method;
  std::string prefix;  // with either of these a path rule is meant
  std::string reason;
  std::string expires;  // ISO 8601 or ""
};

// Each: locks the directory, reads, edits the text (never re-emitted through a YAML writer),
// validates the result by reading it, and renames it into place with the old file's mode and owner.
// Returns one line that says what was done. Errors: bad_config (what is wrong with the input),
// bad_policy (the file is broken; it is left alone), io.
[[nodiscard]] base::Result<std::string> add_entry(const std::string& dir, PolicyList list,
                                                  const EntryChange& change);
[[nodiscard]] base::Result<std::string> remove_entry(const std::string& dir, PolicyList list,
                                                     const EntryChange& change);
// Writes the mode file by rename.
[[nodiscard]] base::Result<void> write_mode(const std::string& dir, policy::Mode mode);
// Puts `text` in place of `path` by a rename from the same directory, with mode and owner of what
// was there (else `mode`); fsynced.
[[nodiscard]] base::Result<void> replace_file(const std::string& path, const std::string& text,
                                              unsigned mode);

}  // namespace leash::config
