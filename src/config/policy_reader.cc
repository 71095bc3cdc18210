#include "config/policy_reader.h"

#include <algorithm>

#include "base/message_text.h"
#include "base/text.h"
#include "config/iso_time.h"
#include "policy/decide.h"

namespace leash::config {
namespace {

constexpr std::size_t kMostFindings = 100;
// The words go into every audit line of the entry.
constexpr std::size_t kLongestReason = 1024;
constexpr std::size_t kLongestPrefix = 4096;

// Reads one item of the list; any fault makes the whole entry faulty.
class EntryReader {
 public:
  EntryReader(PolicyList list, FindingLog& log) : list_(list), log_(log) {}

  std::optional<policy::Entry> read(const YamlNode& item) {
    entry_ = policy::Entry{};
    entry_.file = file_name(list_);
    entry_.line = item.line;
    if (list_ == PolicyList::kEnforce) entry_.ports = {443};
    if (item.is_scalar()) return read_bare(item);
    if (item.is_map()) return read_map(item);
    log_.error(item.line, "an entry must be a mapping with a host");
    return std::nullopt;
  }

 private:
  void fault(int line, const std::string& text) {
    entry_.health = policy::Health::kFaulty;
    const char* effect = list_ == PolicyList::kEnforce ? " (the entry allows nothing)"
                                                       : " (the entry blocks its whole host)";
    log_.error(line, text + effect);
  }

  bool read_host(const YamlNode& node) {
    if (!node.is_scalar()) {
      log_.error(node.line, "the host must be a name or an address");
      return false;
    }
    auto host = parse_policy_host(node.text);
    if (!host) {
      log_.error(node.line, "bad host " + base::quoted(node.text) + ": " + host.error().text());
      return false;
    }
    entry_.host = std::move(*host);
    return true;
  }

  std::optional<policy::Entry> read_bare(const YamlNode& item) {
    if (!read_host(item)) return std::nullopt;
    if (list_ == PolicyList::kEnforce) {
      fault(item.line,
            "a bare host is not accepted here: write '- host: " + entry_.host.text() + "'");
    }
    return std::move(entry_);
  }

  std::optional<policy::Entry> read_map(const YamlNode& item) {
    const YamlNode* host = item.find("host");
    if (host == nullptr) {
      log_.error(item.line, "an entry without a host");
      return std::nullopt;
    }
    if (!read_host(*host)) return std::nullopt;
    std::vector<std::string_view> seen;
    for (std::size_t i = 0; i + 1 < item.items.size(); i += 2) {
      const YamlNode& key = item.items[i];
      if (std::find(seen.begin(), seen.end(), key.text) != seen.end()) {
        fault(key.line, "the key " + base::quoted(key.text) + " appears twice");
      }
      // The list of known keys is short; a stranger's thousand unknown ones need no second look.
      if (seen.size() < 16) seen.push_back(key.text);
      read_field(key, item.items[i + 1]);
    }
    if (entry_.tls == policy::TlsMode::kSplice && !entry_.paths.empty()) {
      fault(item.line, "paths cannot be checked with 'tls: splice'");
    }
    return std::move(entry_);
  }

  void read_field(const YamlNode& key, const YamlNode& value) {
    const bool is_enforce = list_ == PolicyList::kEnforce;
    if (key.text == "host") return;
    if (key.text == "ports") return read_ports(value);
    if (key.text == "paths") return read_paths(value);
    if (key.text == "reason") return read_reason(value);
    if (key.text == "expires") return read_expires(value);
    if (key.text == "networks" && is_enforce) return read_networks(value);
    if (key.text == "tls" && is_enforce) return read_tls(value);
    fault(key.line, "unknown key " + base::quoted(key.text));
  }

  void read_ports(const YamlNode& value) {
    if (value.is_null() || (value.is_list() && value.items.empty())) return;  // the default
    if (!value.is_list()) return fault(value.line, "ports must be a list such as [443]");
    std::vector<std::uint16_t> ports;
    for (const YamlNode& item : value.items) {
      const auto port = item.is_scalar() && !item.is_quoted && !item.text.starts_with('0')
                            ? base::parse_decimal(item.text, 65535)
                            : std::nullopt;
      if (!port) return fault(item.line, "bad port " + base::quoted(item.text));
      ports.push_back(static_cast<std::uint16_t>(*port));
    }
    std::sort(ports.begin(), ports.end());
    ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
    entry_.ports = std::move(ports);
  }

  void read_paths(const YamlNode& value) {
    if (value.is_null() || (value.is_list() && value.items.empty())) return;
    if (!value.is_list()) return fault(value.line, "paths must be a list of path rules");
    for (const YamlNode& item : value.items) read_path(item);
  }

  void read_path(const YamlNode& item) {
    if (!item.is_map()) {
      return fault(item.line, "a path rule must look like { method: GET, prefix: /v1/ }");
    }
    policy::PathRule rule;
    bool has_prefix = false;
    bool has_method = false;
    for (std::size_t i = 0; i + 1 < item.items.size(); i += 2) {
      const YamlNode& key = item.items[i];
      const YamlNode& value = item.items[i + 1];
      if (key.text == "method" && !has_method) {
        has_method = true;
        auto method = value.is_scalar() ? parse_policy_method(value.text)
                                        : base::Result<std::string>(base::fail(
                                              base::Code::kBadConfig, base::Fault::kProxy));
        if (!method) return fault(value.line, "bad method " + base::quoted(value.text));
        rule.method = std::move(*method);
      } else if (key.text == "prefix" && !has_prefix) {
        has_prefix = true;
        if (!value.is_scalar()) return fault(value.line, "a prefix must be text");
        if (const auto wrong = prefix_fault(value.text); !wrong.empty()) {
          return fault(value.line, "bad prefix " + base::quoted(value.text) + ": " + wrong);
        }
        rule.prefix = value.text;
      } else {
        return fault(key.line,
                     "unknown or repeated key " + base::quoted(key.text) + " in a path rule");
      }
    }
    if (!has_prefix) return fault(item.line, "a path rule without a prefix");
    entry_.paths.push_back(std::move(rule));
  }

  void read_reason(const YamlNode& value) {
    if (value.is_null()) return;
    if (!value.is_scalar()) return fault(value.line, "the reason must be text");
    if (value.text.size() > kLongestReason) {
      return fault(value.line, "the reason is longer than 1024 bytes");
    }
    entry_.reason = value.text;
  }

  void read_expires(const YamlNode& value) {
    const auto moment = value.is_scalar() ? parse_iso_time(value.text) : std::nullopt;
    if (!moment) {
      return fault(value.line, "bad date " + base::quoted(value.text) +
                                   ": write 2026-12-31 or 2026-12-31T00:00:00Z");
    }
    entry_.expires = *moment;
  }

  void read_networks(const YamlNode& value) {
    if (value.is_null()) return;
    if (!value.is_list()) return fault(value.line, "networks must be a list such as [10.0.0.0/8]");
    for (const YamlNode& item : value.items) {
      auto network = base::Network::parse(item.text);
      if (!item.is_scalar() || !network) {
        return fault(item.line, "bad network " + base::quoted(item.text));
      }
      entry_.networks.push_back(*network);
    }
  }

  void read_tls(const YamlNode& value) {
    if (value.text == "splice") {
      entry_.tls = policy::TlsMode::kSplice;
    } else if (value.text != "intercept") {
      fault(value.line, "tls must be 'intercept' or 'splice', not " + base::quoted(value.text));
    }
  }

  PolicyList list_;
  FindingLog& log_;
  policy::Entry entry_;
};

// A path inside the policy directory, without the spellings that leave it.
bool is_clean_path(std::string_view path) {
  if (path.empty() || path.size() > 1024 || path.front() == '/') return false;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
    if (path.empty()) return false;
  }
  return true;
}

// What is left of the top-level map once the entries are taken out of it.
class TopLevelReader {
 public:
  TopLevelReader(PolicyList list, FindingLog& log, PolicyText& out)
      : list_(list), log_(log), out_(out) {}

  void read(const YamlNode& root) {
    if (root.is_null()) return;
    if (!root.is_map()) {
      return broken(root.line,
                    "the file must be a mapping with '" + std::string(list_key(list_)) + ":'");
    }
    bool has_list = false;
    for (std::size_t i = 0; i + 1 < root.items.size(); i += 2) {
      const YamlNode& key = root.items[i];
      const YamlNode& value = root.items[i + 1];
      if (key.text == list_key(list_)) {
        has_list = true;
        if (!value.is_null() && !value.is_list()) {
          broken(value.line, "'" + key.text + "' must be a list");
        }
      } else if (key.text == "lists" && list_ == PolicyList::kBlocklist) {
        if (!value.is_null() && !value.is_list())
          broken(value.line, "'lists' must be a list of files");
      } else {
        log_.warning(key.line, "unknown key " + base::quoted(key.text) + " is ignored");
      }
    }
    // A mistyped "block:" would read as a list that blocks nothing.
    if (!has_list && !root.items.empty() && list_ == PolicyList::kBlocklist &&
        root.find("lists") == nullptr) {
      broken(root.line, "there is neither 'block:' nor 'lists:'");
    }
  }

  void read_list_file(const YamlNode& item) {
    if (!item.is_scalar() || !is_clean_path(item.text)) {
      return broken(item.line, "bad list file " + base::quoted(item.text) +
                                   ": it must be a relative path below the policy directory");
    }
    if (std::find(out_.lists.begin(), out_.lists.end(), item.text) == out_.lists.end()) {
      if (out_.lists.size() >= kMostLists) return broken(item.line, "more than 64 list files");
      out_.lists.push_back(item.text);
    }
  }

  void broken(int line, const std::string& text) {
    out_.is_broken = true;
    log_.error(line, text);
  }

 private:
  static constexpr std::size_t kMostLists = 64;
  PolicyList list_;
  FindingLog& log_;
  PolicyText& out_;
};

}  // namespace

std::string_view file_name(PolicyList list) {
  return list == PolicyList::kEnforce ? "enforce.yaml" : "blocklist.yaml";
}

std::string_view list_key(PolicyList list) {
  return list == PolicyList::kEnforce ? "allow" : "block";
}

void FindingLog::add(Finding finding) {
  if (findings_.size() < kMostFindings) {
    findings_.push_back(std::move(finding));
  } else {
    ++left_out_;
  }
}

std::vector<Finding> FindingLog::take() {
  if (left_out_ > 0) {
    findings_.push_back({file_, 0, "and " + std::to_string(left_out_) + " more", true});
  }
  left_out_ = 0;
  return std::move(findings_);
}

PolicyText read_policy_text(std::string_view text, PolicyList list,
                            const std::function<void(policy::Entry&&)>& take) {
  PolicyText out;
  FindingLog log{std::string(file_name(list))};
  TopLevelReader top(list, log, out);
  EntryReader entries(list, log);
  const std::string_view key_of_entries = list_key(list);
  const auto root = parse_yaml(text, [&](const std::string& key, YamlNode&& item) {
    if (key == key_of_entries) {
      if (auto entry = entries.read(item)) take(std::move(*entry));
    } else if (key == "lists" && list == PolicyList::kBlocklist) {
      top.read_list_file(item);
    }
  });
  if (root) {
    top.read(*root);
  } else {
    top.broken(root.error().line, root.error().text);
  }
  out.findings = log.take();
  return out;
}

std::optional<policy::Entry> read_policy_entry(const YamlNode& item, PolicyList list,
                                               FindingLog& log) {
  return EntryReader(list, log).read(item);
}

base::Result<base::Host> parse_policy_host(std::string_view text) {
  text = base::trim(text);
  if (text.starts_with("*.")) text.remove_prefix(2);
  return base::Host::parse_lenient(text);
}

base::Result<std::string> parse_policy_method(std::string_view text) {
  std::string method;
  for (const char c : text) {
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    if ((upper < 'A' || upper > 'Z') && upper != '-' && upper != '_') {
      return base::fail(base::Code::kBadConfig, base::Fault::kProxy,
                        "bad method " + base::quoted(text));
    }
    method.push_back(upper);
  }
  if (method.size() > 32) {
    return base::fail(base::Code::kBadConfig, base::Fault::kProxy,
                      "bad method " + base::quoted(text));
  }
  return method;
}

std::string prefix_fault(std::string_view prefix) {
  if (!prefix.starts_with('/')) return "it must begin with '/'";
  if (prefix.size() > kLongestPrefix) return "it is longer than 4096 bytes";
  for (const char c : prefix) {
    if (c <= ' ' || c == 0x7f || static_cast<unsigned char>(c) >= 0x80) {
      return "blanks and bytes outside ASCII must be percent-encoded";
    }
  }
  // The last segment of a prefix is only a beginning: "/." stands for "/.git" too.
  if (policy::is_ambiguous_path(std::string(prefix) + "x")) return "dot segments never match";
  return {};
}

}  // namespace leash::config
