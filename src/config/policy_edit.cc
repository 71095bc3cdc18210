#include "config/policy_edit.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <functional>
#include <iterator>
#include <optional>
#include <thread>

#include "base/fd.h"
#include "base/text.h"
#include "config/guarded_file.h"
#include "config/iso_time.h"
#include "config/policy_reader.h"
#include "config/yaml_edit.h"

namespace leash::config {
namespace {

using policy::Entry;
using policy::Health;

constexpr unsigned kNewFileMode = 0644;

tl::unexpected<base::Error> bad_input(std::string text) {
  return base::fail(base::Code::kBadConfig, base::Fault::kProxy, std::move(text));
}

tl::unexpected<base::Error> bad_policy(std::string text) {
  return base::fail(base::Code::kBadPolicy, base::Fault::kProxy, std::move(text));
}

tl::unexpected<base::Error> edit_by_hand(PolicyList list, const std::string& why) {
  return bad_policy(std::string(file_name(list)) + ": " + why + ": please edit it by hand");
}

// --- what is asked for -------------------------------------------------------------------------

base::Result<void> check_words(const EntryChange& change) {
  if (change.reason.size() > 1024) return bad_input("the reason is longer than 1024 bytes");
  if (!base::is_utf8(change.reason)) return bad_input("the reason is not UTF-8");
  for (const char c : change.reason) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return bad_input("the reason holds control characters");
    }
  }
  return {};
}

// The change as an entry, checked as strictly as the file's reader checks.
base::Result<Entry> wanted_entry(PolicyList list, const EntryChange& change) {
  Entry out;
  auto host = parse_policy_host(change.host);
  if (!host) return bad_input("bad host: " + host.error().text());
  out.host = std::move(*host);
  out.ports = change.ports;
  std::sort(out.ports.begin(), out.ports.end());
  out.ports.erase(std::unique(out.ports.begin(), out.ports.end()), out.ports.end());
  if (!out.ports.empty() && out.ports.front() == 0) return bad_input("bad port 0");
  if (out.ports.empty() && list == PolicyList::kEnforce) out.ports = {443};
  if (!change.method.empty() || !change.prefix.empty()) {
    auto method = parse_policy_method(change.method);
    if (!method) return tl::unexpected(std::move(method.error()));
    const std::string prefix = change.prefix.empty() ? "/" : change.prefix;
    if (const auto wrong = prefix_fault(prefix); !wrong.empty()) {
      return bad_input("bad prefix: " + wrong);
    }
    out.paths.push_back({std::move(*method), prefix});
  }
  if (auto checked = check_words(change); !checked) return tl::unexpected(checked.error());
  out.reason = change.reason;
  if (!change.expires.empty()) {
    const auto moment = parse_iso_time(change.expires);
    if (!moment) return bad_input("bad date: write 2026-12-31 or 2026-12-31T00:00:00Z");
    out.expires = *moment;
  }
  return out;
}

std::string describe(const Entry& entry) {
  std::string out = entry.host.text();
  for (std::size_t i = 0; i < entry.ports.size(); ++i) {
    out += (i == 0 ? ":" : ",") + std::to_string(entry.ports[i]);
  }
  for (const auto& rule : entry.paths) {
    out += " " + (rule.method.empty() ? "any method" : rule.method) + " " + rule.prefix;
  }
  return out;
}

// --- the file ----------------------------------------------------------------------------------

// One entry of the file beside the node it was read from.
struct Item {
  std::size_t index = 0;  // in the list
  Entry entry;
};

struct Document {
  std::string bom;
  std::string text;  // without it
  YamlNode root;
  std::vector<Item> items;

  [[nodiscard]] const YamlNode* list(PolicyList which) const { return root.find(list_key(which)); }
};

base::Result<Document> parse_document(PolicyList list, std::string_view whole) {
  const std::string name(file_name(list));
  const PolicyText read = read_policy_text(whole, list, [](Entry&&) {});
  if (read.is_broken) {
    const Finding& first = read.findings.front();
    return bad_policy(name + ":" + std::to_string(first.line) + ": " + first.text);
  }
  Document out;
  const std::string_view text = without_bom(whole);
  out.bom = whole.substr(0, whole.size() - text.size());
  out.text = text;
  auto root = parse_yaml(out.text);
  if (!root) return bad_policy(name + ": too large to edit: " + root.error().text);
  out.root = std::move(*root);
  if (const YamlNode* entries = out.list(list); entries != nullptr) {
    FindingLog log(name);
    for (std::size_t i = 0; i < entries->items.size(); ++i) {
      if (auto entry = read_policy_entry(entries->items[i], list, log)) {
        out.items.push_back({i, std::move(*entry)});
      }
    }
  }
  return out;
}

bool means_the_same(const Entry& a, const Entry& b) {
  const auto same_networks = [](const base::Network& x, const base::Network& y) {
    return x.address == y.address && x.prefix == y.prefix;
  };
  return a.host == b.host && a.ports == b.ports && a.paths == b.paths && a.tls == b.tls &&
         a.health == b.health && a.reason == b.reason && a.expires == b.expires &&
         std::equal(a.networks.begin(), a.networks.end(), b.networks.begin(), b.networks.end(),
                    same_networks);
}

bool is_same_tree(const YamlNode& a, const YamlNode& b) {
  return a.kind == b.kind && a.text == b.text &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), is_same_tree);
}

// Everything at the top level but the entries.
bool is_same_beside(const Document& a, const Document& b, PolicyList list) {
  const auto others = [&](const YamlNode& root) {
    YamlNode out;
    for (std::size_t i = 0; i + 1 < root.items.size(); i += 2) {
      if (root.items[i].text == list_key(list)) continue;
      out.items.push_back(root.items[i]);
      out.items.push_back(root.items[i + 1]);
    }
    return out;
  };
  return is_same_tree(others(a.root), others(b.root));
}

// What is to be written, and what it must mean when it is read.
struct Plan {
  std::string message;
  bool is_nothing_to_do = false;
  std::string text;
  std::vector<Entry> expected;
};

std::vector<Entry> entries_of(const Document& document) {
  std::vector<Entry> out;
  for (const Item& item : document.items) out.push_back(item.entry);
  return out;
}

base::Result<void> verify(PolicyList list, const Document& before, const Plan& plan) {
  const auto after = parse_document(list, plan.text);
  const bool is_right = after && is_same_beside(before, *after, list) &&
                        std::equal(after->items.begin(), after->items.end(), plan.expected.begin(),
                                   plan.expected.end(), [](const Item& item, const Entry& entry) {
                                     return means_the_same(item.entry, entry);
                                   });
  if (!is_right) return edit_by_hand(list, "the way the list is written does not take this change");
  return {};
}

// --- adding ------------------------------------------------------------------------------------

std::string ports_text(const std::vector<std::uint16_t>& ports) {
  std::string out;
  for (const std::uint16_t port : ports) {
    if (!out.empty()) out += ", ";
    out += std::to_string(port);
  }
  return out;
}

std::string rule_text(const policy::PathRule& rule) {
  std::string out = "{ ";
  if (!rule.method.empty()) out += "method: " + yaml_scalar(rule.method) + ", ";
  return out + "prefix: " + yaml_scalar(rule.prefix) + " }";
}

std::vector<std::string> entry_lines(PolicyList list, const Entry& entry,
                                     const std::string& expires, std::size_t indent) {
  const std::string dash = std::string(indent, ' ') + "- ";
  const std::string pad(indent + 2, ' ');
  std::vector<std::string> out{dash + "host: " + yaml_scalar(entry.host.text())};
  const bool has_default_ports = list == PolicyList::kEnforce
                                     ? entry.ports == std::vector<std::uint16_t>{443}
                                     : entry.ports.empty();
  if (!has_default_ports) out.push_back(pad + "ports: [" + ports_text(entry.ports) + "]");
  if (!entry.paths.empty()) {
    out.push_back(pad + "paths:");
    for (const auto& rule : entry.paths) out.push_back(pad + "  - " + rule_text(rule));
  }
  if (!entry.reason.empty()) out.push_back(pad + "reason: " + yaml_scalar(entry.reason));
  if (!expires.empty()) out.push_back(pad + "expires: " + yaml_scalar(expires));
  if (entry.tls == policy::TlsMode::kSplice) out.push_back(pad + "tls: splice");
  return out;
}

bool covers_ports(const Entry& entry, const std::vector<std::uint16_t>& ports) {
  if (entry.ports.empty()) return true;
  return !ports.empty() && std::all_of(ports.begin(), ports.end(),
                                       [&](std::uint16_t port) { return entry.covers_port(port); });
}

bool has_rule(const Entry& entry, const policy::PathRule& rule) {
  return std::find(entry.paths.begin(), entry.paths.end(), rule) != entry.paths.end();
}

bool is_in_force(const Entry& entry, std::chrono::system_clock::time_point now) {
  return entry.health == Health::kGood && now < entry.expires;
}

bool covers(const Entry& entry, const Entry& wanted) {
  if (!(entry.host == wanted.host) || !covers_ports(entry, wanted.ports)) return false;
  if (entry.expires < wanted.expires) return false;
  if (entry.paths.empty()) return true;
  return !wanted.paths.empty() && has_rule(entry, wanted.paths.front());
}

// Whether the wanted ports or path can go into this entry without giving it more than was asked
// for.
bool takes(const Entry& entry, const Entry& wanted) {
  if (!(entry.host == wanted.host) || entry.expires != wanted.expires) return false;
  if (!entry.networks.empty() || entry.tls != policy::TlsMode::kIntercept) return false;
  if (!wanted.reason.empty() && wanted.reason != entry.reason) return false;
  if (wanted.paths.empty()) {
    return entry.paths.empty() && !entry.ports.empty() && !wanted.ports.empty();
  }
  return !entry.paths.empty() && entry.ports == wanted.ports;
}

bool edit_ports(YamlEditor& editor, const YamlNode& item, const std::vector<std::uint16_t>& ports) {
  const YamlNode* node = item.find("ports");
  if (node == nullptr) {
    for (std::size_t i = 0; i + 1 < item.items.size(); i += 2) {
      const YamlNode& key = item.items[i];
      if (key.text != "host" || key.line != item.items[i + 1].line) continue;
      const auto indent = static_cast<std::size_t>(key.column);
      editor.insert_after_line(key.line,
                               {std::string(indent, ' ') + "ports: [" + ports_text(ports) + "]"});
      return true;
    }
    return false;
  }
  const auto flow = editor.flow_list(*node);
  if (!flow) return false;
  editor.replace(flow->inside.begin, flow->inside.end, ports_text(ports));
  return true;
}

bool add_rule(YamlEditor& editor, const YamlNode& item, const policy::PathRule& rule) {
  const YamlNode* node = item.find("paths");
  if (node == nullptr || !node->is_list() || node->items.empty()) return false;
  if (const auto flow = editor.flow_list(*node)) {
    editor.replace(flow->items.back().end, flow->items.back().end, ", " + rule_text(rule));
    return true;
  }
  const auto lines = editor.lines_of_item(*node, node->items.size() - 1);
  if (!lines) return false;
  const auto indent = static_cast<std::size_t>(node->column);
  editor.insert_after_line(lines->last, {std::string(indent, ' ') + "- " + rule_text(rule)});
  return true;
}

// Puts the wanted ports or path into an entry that is there; nullopt where no entry takes them.
std::optional<Plan> plan_merge(PolicyList list, const Document& document, const Entry& wanted,
                               std::chrono::system_clock::time_point now) {
  const YamlNode* node = document.list(list);
  for (std::size_t i = 0; i < document.items.size(); ++i) {
    const Item& found = document.items[i];
    if (!is_in_force(found.entry, now) || !takes(found.entry, wanted)) continue;
    const YamlNode& item = node->items[found.index];
    if (!item.is_map() || item.is_flow) continue;
    YamlEditor editor(document.text);
    Plan plan;
    plan.expected = entries_of(document);
    Entry& merged = plan.expected[i];
    bool is_done = false;
    if (wanted.paths.empty()) {
      merged.ports.insert(merged.ports.end(), wanted.ports.begin(), wanted.ports.end());
      std::sort(merged.ports.begin(), merged.ports.end());
      merged.ports.erase(std::unique(merged.ports.begin(), merged.ports.end()), merged.ports.end());
      is_done = edit_ports(editor, item, merged.ports);
    } else {
      merged.paths.push_back(wanted.paths.front());
      is_done = add_rule(editor, item, wanted.paths.front());
    }
    if (!is_done) continue;
    plan.text = document.bom + editor.result();
    plan.message = std::string(list_key(list)) + " " + describe(wanted) +
                   ": added to the entry at " + std::string(file_name(list)) + ":" +
                   std::to_string(found.entry.line);
    // Another shape of the entry may still take a second one beside it.
    if (!verify(list, document, plan)) continue;
    return plan;
  }
  return std::nullopt;
}

// The line of a key in the top-level map.
int line_of_key(const YamlNode& root, std::string_view key) {
  for (std::size_t i = 0; i + 1 < root.items.size(); i += 2) {
    if (root.items[i].text == key) return root.items[i].line;
  }
  return 0;
}

// Lines for the end of the list, whose items begin in the column `indent`.
using LinesAt = std::function<std::vector<std::string>(std::size_t indent)>;

// Puts lines behind the last entry. The caller says what they mean.
base::Result<Plan> plan_lines(PolicyList list, const Document& document, const LinesAt& lines_at) {
  constexpr std::size_t kIndent = 2;
  const std::string key(list_key(list));
  const YamlNode* node = document.list(list);
  YamlEditor editor(document.text);
  Plan plan;
  plan.expected = entries_of(document);
  if (document.root.is_flow) return edit_by_hand(list, "the file is written in {...}");
  if (node == nullptr) {
    auto lines = lines_at(kIndent);
    lines.insert(lines.begin(), key + ":");
    editor.insert_after_line(editor.line_count(), lines);
  } else if (node->is_list() && node->is_flow) {
    const auto flow = editor.flow_list(*node);
    if (!flow || !node->items.empty())
      return edit_by_hand(list, "'" + key + "' is written in [...]");
    std::size_t begin = node->offset;
    while (begin > 0 && document.text[begin - 1] == ' ') --begin;
    editor.replace(begin, flow->inside.end + 1, {});
    editor.insert_after_line(node->line, lines_at(kIndent));
  } else if (node->is_list()) {
    const auto last = editor.lines_of_item(*node, node->items.size() - 1);
    if (!last) return edit_by_hand(list, "the last entry has an unusual shape");
    editor.insert_after_line(last->last, lines_at(static_cast<std::size_t>(node->column)));
  } else {
    editor.insert_after_line(line_of_key(document.root, key), lines_at(kIndent));
  }
  plan.text = document.bom + editor.result();
  return plan;
}

base::Result<Plan> plan_append(PolicyList list, const Document& document, const Entry& wanted,
                               const std::string& expires) {
  auto plan = plan_lines(list, document, [&](std::size_t indent) {
    return entry_lines(list, wanted, expires, indent);
  });
  if (!plan) return plan;
  plan->expected.push_back(wanted);
  plan->message = std::string(list_key(list)) + " " + describe(wanted) + ": added to " +
                  std::string(file_name(list));
  return plan;
}

base::Result<void> check_new_entry(const NewEntry& added) {
  const Entry& entry = added.entry;
  if (entry.host.empty()) return bad_input("an entry without a host");
  if (!entry.networks.empty() || entry.health != Health::kGood ||
      entry.expires != std::chrono::system_clock::time_point::max()) {
    return bad_input("an entry with networks, a fault or a date is not written from here");
  }
  for (const auto& rule : entry.paths) {
    if (const auto wrong = prefix_fault(rule.prefix); !wrong.empty()) {
      return bad_input("bad prefix: " + wrong);
    }
  }
  for (const std::string& comment : added.comments) {
    for (const char c : comment) {
      if (c < ' ' || c > '~') return bad_input("a comment holds more than printable ASCII");
    }
  }
  return {};
}

base::Result<std::string> text_with(PolicyList list, const Document& document,
                                    const std::vector<NewEntry>& entries) {
  for (const NewEntry& added : entries) {
    if (auto checked = check_new_entry(added); !checked) return tl::unexpected(checked.error());
  }
  if (entries.empty()) return document.bom + document.text;
  auto plan = plan_lines(list, document, [&](std::size_t indent) {
    std::vector<std::string> lines;
    for (const NewEntry& added : entries) {
      for (const std::string& comment : added.comments) {
        lines.push_back(std::string(indent, ' ') + "# " + comment);
      }
      auto more = entry_lines(list, added.entry, {}, indent);
      lines.insert(lines.end(), std::make_move_iterator(more.begin()),
                   std::make_move_iterator(more.end()));
    }
    return lines;
  });
  if (!plan) return tl::unexpected(std::move(plan.error()));
  for (const NewEntry& added : entries) plan->expected.push_back(added.entry);
  if (auto right = verify(list, document, *plan); !right) return tl::unexpected(right.error());
  return std::move(plan->text);
}

base::Result<Plan> plan_add(PolicyList list, const Document& document, const EntryChange& change) {
  auto wanted = wanted_entry(list, change);
  if (!wanted) return tl::unexpected(std::move(wanted.error()));
  const auto now = std::chrono::system_clock::now();
  if (wanted->expires <= now) return bad_input("the date is in the past");
  for (const Item& item : document.items) {
    if (!is_in_force(item.entry, now) || !covers(item.entry, *wanted)) continue;
    Plan plan;
    plan.is_nothing_to_do = true;
    plan.message = std::string(list_key(list)) + " " + describe(*wanted) + ": already there, " +
                   std::string(file_name(list)) + ":" + std::to_string(item.entry.line);
    return plan;
  }
  if (auto merged = plan_merge(list, document, *wanted, now)) return std::move(*merged);
  return plan_append(list, document, *wanted, change.expires);
}

// --- removing ----------------------------------------------------------------------------------

enum class Outcome { kUntouched, kErased, kChanged, kImpossible };

// Takes a path rule, ports, or all of an entry out of the text, and the same out of `entry`.
class Remover {
 public:
  Remover(const EntryChange& change, const Entry& wanted)
      : has_ports_(!change.ports.empty()), wanted_(wanted) {}

  Outcome remove(YamlEditor& editor, const YamlNode& node, const Item& item, Entry& entry) const {
    if (!(entry.host == wanted_.host)) return Outcome::kUntouched;
    if (!wanted_.paths.empty()) return remove_path(editor, node, item, entry);
    if (!has_ports_) return erase(editor, node, item);
    if (entry.health == Health::kFaulty) return Outcome::kUntouched;
    return remove_ports(editor, node, item, entry);
  }

 private:
  static Outcome erase(YamlEditor& editor, const YamlNode& node, const Item& item) {
    const auto lines = editor.lines_of_item(node, item.index);
    if (!lines) return Outcome::kImpossible;
    editor.erase_lines(lines->first, lines->last);
    return Outcome::kErased;
  }

  Outcome remove_path(YamlEditor& editor, const YamlNode& node, const Item& item,
                      Entry& entry) const {
    const auto& rule = wanted_.paths.front();
    const auto it = std::find(entry.paths.begin(), entry.paths.end(), rule);
    if (it == entry.paths.end() || entry.health == Health::kFaulty) return Outcome::kUntouched;
    if (has_ports_) {
      const bool touches = std::any_of(wanted_.ports.begin(), wanted_.ports.end(),
                                       [&](std::uint16_t port) { return entry.covers_port(port); });
      if (!touches) return Outcome::kUntouched;
      // The rule would go for ports that were not named.
      if (entry.ports != wanted_.ports) return Outcome::kImpossible;
    }
    // An entry without path rules stands for its whole host: the last rule takes the entry with it.
    if (std::all_of(entry.paths.begin(), entry.paths.end(),
                    [&](const policy::PathRule& other) { return other == rule; })) {
      return erase(editor, node, item);
    }
    const YamlNode* paths = node.items[item.index].find("paths");
    const auto index = static_cast<std::size_t>(it - entry.paths.begin());
    if (paths == nullptr || paths->items.size() != entry.paths.size()) return Outcome::kImpossible;
    if (const auto flow = editor.flow_list(*paths)) {
      const auto& items = flow->items;
      if (index > 0) {
        editor.replace(items[index - 1].end, items[index].end, {});
      } else {
        editor.replace(items[0].begin, items[1].begin, {});
      }
    } else if (const auto lines = editor.lines_of_item(*paths, index)) {
      editor.erase_lines(lines->first, lines->last);
    } else {
      return Outcome::kImpossible;
    }
    entry.paths.erase(it);
    return Outcome::kChanged;
  }

  Outcome remove_ports(YamlEditor& editor, const YamlNode& node, const Item& item,
                       Entry& entry) const {
    if (entry.ports.empty()) return Outcome::kImpossible;  // all ports but some cannot be written
    std::vector<std::uint16_t> left;
    std::set_difference(entry.ports.begin(), entry.ports.end(), wanted_.ports.begin(),
                        wanted_.ports.end(), std::back_inserter(left));
    if (left == entry.ports) return Outcome::kUntouched;
    if (left.empty()) return erase(editor, node, item);
    if (!edit_ports(editor, node.items[item.index], left)) return Outcome::kImpossible;
    entry.ports = std::move(left);
    return Outcome::kChanged;
  }

  bool has_ports_;
  const Entry& wanted_;
};

// Names the parent that stands in for a host which is not listed itself.
std::string parent_hint(const Document& document, const base::Host& host) {
  for (const std::string_view name : policy::lookup_names(host)) {
    for (const Item& item : document.items) {
      if (item.entry.host.text() == name && name != host.text()) {
        return " (line " + std::to_string(item.entry.line) + " lists " + std::string(name) +
               ", which covers it)";
      }
    }
  }
  return {};
}

base::Result<Plan> plan_remove(PolicyList list, const Document& document,
                               const EntryChange& change) {
  EntryChange what = change;
  what.reason.clear();
  what.expires.clear();
  auto wanted = wanted_entry(list, what);
  if (!wanted) return tl::unexpected(std::move(wanted.error()));
  if (change.ports.empty()) wanted->ports.clear();
  const std::string file(file_name(list));
  const YamlNode* node = document.list(list);
  YamlEditor editor(document.text);
  const Remover remover(change, *wanted);
  Plan plan;
  int touched = 0;
  for (const Item& item : document.items) {
    Entry entry = item.entry;
    const Outcome outcome = remover.remove(editor, *node, item, entry);
    if (outcome == Outcome::kImpossible) {
      return edit_by_hand(list,
                          "line " + std::to_string(entry.line) +
                              " covers more than what is to be removed, or has an unusual shape");
    }
    if (outcome != Outcome::kUntouched) ++touched;
    if (outcome != Outcome::kErased) plan.expected.push_back(std::move(entry));
  }
  if (touched == 0) {
    return bad_input(describe(*wanted) + " is not in " + file +
                     parent_hint(document, wanted->host));
  }
  plan.text = document.bom + editor.result();
  plan.message = std::string(list_key(list)) + " " + describe(*wanted) + ": removed from " + file +
                 (touched > 1 ? " (" + std::to_string(touched) + " entries)" : "");
  return plan;
}

// --- the directory -----------------------------------------------------------------------------

// One editor at a time, leashctl and the console alike. Held until the descriptor is closed.
base::Result<base::Fd> lock_directory(const std::string& dir) {
  base::Fd fd(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int tries = 0; fd.is_open() && tries < 50; ++tries) {
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno != EWOULDBLOCK && errno != EINTR) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  const int error = errno;
  return base::fail(
      base::Code::kIo, base::Fault::kProxy,
      dir + ": " + (error == EWOULDBLOCK ? "locked by another editor" : base::errno_text(error)));
}

using Planner = base::Result<Plan> (*)(PolicyList, const Document&, const EntryChange&);

// The file as it is; "" where there is none.
base::Result<std::string> file_text(const std::string& dir, PolicyList list) {
  const std::string name(file_name(list));
  FileText file = read_guarded(dir, name);
  if (file.state == FileText::State::kUnusable) return bad_policy(name + ": " + file.error);
  if (file.is_torn) return bad_policy(name + ": someone is writing it");
  return std::move(file.text);
}

base::Result<std::string> change_file(const std::string& dir, PolicyList list,
                                      const EntryChange& change, Planner planner) {
  const auto lock = lock_directory(dir);
  if (!lock) return tl::unexpected(lock.error());
  const std::string name(file_name(list));
  const auto text = file_text(dir, list);
  if (!text) return tl::unexpected(text.error());
  const auto document = parse_document(list, *text);
  if (!document) return tl::unexpected(document.error());
  auto plan = planner(list, *document, change);
  if (!plan) return tl::unexpected(std::move(plan.error()));
  if (plan->is_nothing_to_do) return std::move(plan->message);
  if (auto right = verify(list, *document, *plan); !right) return tl::unexpected(right.error());
  if (auto done = replace_file(dir + "/" + name, plan->text, kNewFileMode); !done) {
    return tl::unexpected(done.error());
  }
  return std::move(plan->message);
}

}  // namespace

base::Result<std::string> add_entry(const std::string& dir, PolicyList list,
                                    const EntryChange& change) {
  return change_file(dir, list, change, plan_add);
}

base::Result<std::string> remove_entry(const std::string& dir, PolicyList list,
                                       const EntryChange& change) {
  return change_file(dir, list, change, plan_remove);
}

base::Result<std::string> policy_text(const std::string& dir, PolicyList list) {
  return file_text(dir, list);
}

base::Result<std::string> text_with_entries(PolicyList list, std::string_view text,
                                            const std::vector<NewEntry>& entries) {
  const auto document = parse_document(list, text);
  if (!document) return tl::unexpected(document.error());
  return text_with(list, *document, entries);
}

base::Result<void> add_entries(const std::string& dir, PolicyList list, std::string_view before,
                               const std::vector<NewEntry>& entries) {
  const auto after = text_with_entries(list, before, entries);
  if (!after) return tl::unexpected(after.error());
  return replace_policy_text(dir, list, before, *after);
}

base::Result<std::string> text_with_change(PolicyList list, std::string_view text,
                                           EntryAction action, const EntryChange& change) {
  const auto document = parse_document(list, text);
  if (!document) return tl::unexpected(document.error());
  auto plan = action == EntryAction::kAdd ? plan_add(list, *document, change)
                                          : plan_remove(list, *document, change);
  if (!plan) return tl::unexpected(std::move(plan.error()));
  if (plan->is_nothing_to_do) return std::string(text);
  if (auto right = verify(list, *document, *plan); !right) return tl::unexpected(right.error());
  return std::move(plan->text);
}

base::Result<void> replace_policy_text(const std::string& dir, PolicyList list,
                                       std::string_view before, const std::string& after) {
  const auto lock = lock_directory(dir);
  if (!lock) return tl::unexpected(lock.error());
  const auto text = file_text(dir, list);
  if (!text) return tl::unexpected(text.error());
  const std::string name(file_name(list));
  if (*text != before) return bad_policy(name + " has changed meanwhile: please try again");
  return replace_file(dir + "/" + name, after, kNewFileMode);
}

base::Result<void> write_mode(const std::string& dir, policy::Mode mode) {
  const auto lock = lock_directory(dir);
  if (!lock) return tl::unexpected(lock.error());
  return replace_file(dir + "/mode", std::string(policy::word(mode)) + "\n", kNewFileMode);
}

}  // namespace leash::config
