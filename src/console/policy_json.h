// Policy entries, findings and changes as the API writes and reads them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "config/policy_edit.h"
#include "config/policy_files.h"
#include "console/json.h"
#include "policy/snapshot.h"

namespace leash::console {

void write_entry(JsonWriter& json, const policy::Entry& entry);
void write_findings(JsonWriter& json, const std::vector<config::Finding>& findings);

// One change of a list.
struct PolicyChange {
  config::PolicyList list = config::PolicyList::kEnforce;
  config::EntryAction action = config::EntryAction::kAdd;
  config::EntryChange entry;
};
// The keys of E.1 and `reason`, `expires`. Errors: bad_config, in the original's words where it has
// some ("host required").
[[nodiscard]] base::Result<config::EntryChange> read_entry_change(const JsonValue& body,
                                                                  config::PolicyList list,
                                                                  config::EntryAction action);
// The same with `list` and `action`.
[[nodiscard]] base::Result<PolicyChange> read_change(const JsonValue& body);
void write_change(JsonWriter& json, const PolicyChange& change);

[[nodiscard]] std::optional<config::PolicyList> parse_list(std::string_view word);
[[nodiscard]] std::optional<config::PolicyList> list_of_file(std::string_view file);

}  // namespace leash::console
