// The text of enforce.yaml or blocklist.yaml to entries, where a mistake never widens.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/policy_edit.h"
#include "config/policy_files.h"
#include "config/yaml_reader.h"

namespace leash::config {

[[nodiscard]] std::string_view file_name(PolicyList list);  // "enforce.yaml"
[[nodiscard]] std::string_view list_key(PolicyList list);   // "allow", "block"

// Collects what is wrong with one file; past 100 findings it only counts.
class FindingLog {
 public:
  explicit FindingLog(std::string file) : file_(std::move(file)) {}
  void error(int line, std::string text) { add({file_, line, std::move(text), true}); }
  void warning(int line, std::string text) { add({file_, line, std::move(text), false}); }
  [[nodiscard]] std::vector<Finding> take();

 private:
  void add(Finding finding);

  std::string file_;
  std::vector<Finding> findings_;
  std::size_t left_out_ = 0;
};

struct PolicyText {
  bool is_broken = false;          // as a whole: nothing of it counts
  std::vector<std::string> lists;  // host lists that a blocklist names; each a clean relative path
  std::vector<Finding> findings;
};

// Calls `take` for each entry in order, faulty ones included. Entries taken from a text that turns
// out broken do not count.
[[nodiscard]] PolicyText read_policy_text(std::string_view text, PolicyList list,
                                          const std::function<void(policy::Entry&&)>& take);

// One item of the list; nullopt (and a finding) where it names no host.
[[nodiscard]] std::optional<policy::Entry> read_policy_entry(const YamlNode& item, PolicyList list,
                                                             FindingLog& log);

// "*.x.com" and "x.com" mean the same; otherwise as base::Host::parse_lenient.
[[nodiscard]] base::Result<base::Host> parse_policy_host(std::string_view text);
// Upper-case; empty stays empty (any method). Errors: bad_config.
[[nodiscard]] base::Result<std::string> parse_policy_method(std::string_view text);
// "" where `prefix` can be a path rule's prefix, else what is wrong with it.
[[nodiscard]] std::string prefix_fault(std::string_view prefix);

}  // namespace leash::config
