// Changes to the policy files that keep comments, order, unknown keys and reasons.
#pragma once

#include <optional>
#include <string>
#include <string_view>
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

// An entry that somebody has worked out, with the lines that explain it.
struct NewEntry {
  policy::Entry entry;                // without networks and date; file and line do not count
  std::vector<std::string> comments;  // printable ASCII, without "# "
};
// The file as it is; "" where there is none. Errors: bad_policy (it cannot be read as a file).
[[nodiscard]] base::Result<std::string> policy_text(const std::string& dir, PolicyList list);
// `text` with the entries behind its last one, each under its comments; everything else stays as it
// is. Touches no file. Errors: as add_entry.
[[nodiscard]] base::Result<std::string> text_with_entries(PolicyList list, std::string_view text,
                                                          const std::vector<NewEntry>& entries);
// The same to the file, as add_entry goes about it, provided that it still is `before`. Errors:
// besides, bad_policy where it is not.
[[nodiscard]] base::Result<void> add_entries(const std::string& dir, PolicyList list,
                                             std::string_view before,
                                             const std::vector<NewEntry>& entries);
// `text` as add_entry or remove_entry would leave it. Touches no file. Errors: as add_entry.
enum class EntryAction { kAdd, kRemove };
[[nodiscard]] base::Result<std::string> text_with_change(PolicyList list, std::string_view text,
                                                         EntryAction action,
                                                         const EntryChange& change);
// Puts `after` in the file's place, provided that it still is `before`; what `after` means is the
// caller's business. Errors: bad_policy where the file has changed, io.
[[nodiscard]] base::Result<void> replace_policy_text(const std::string& dir, PolicyList list,
                                                     std::string_view before,
                                                     const std::string& after);
// Writes the mode file by rename.
[[nodiscard]] base::Result<void> write_mode(const std::string& dir, policy::Mode mode);
// Puts `text` in place of `path` by a rename from the same directory, with mode and owner of what
// was there (else `mode`); fsynced.
[[nodiscard]] base::Result<void> replace_file(const std::string& path, const std::string& text,
                                              unsigned mode);

}  // namespace leash::config
