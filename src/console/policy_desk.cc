#include "console/policy_desk.h"

#include <array>

#include "base/text.h"
#include "config/guarded_file.h"
#include "config/policy_reader.h"
#include "tls/digest.h"

namespace leash::console {
namespace {

using config::PolicyList;

constexpr std::array kLists = {PolicyList::kEnforce, PolicyList::kBlocklist};
constexpr std::size_t kMostModeBytes = 4'096;

base::Error wrong(std::string text) {
  return {base::Code::kBadConfig, base::Fault::kClient, std::move(text)};
}

// The entries of a text in its order.
std::vector<policy::Entry> entries_of(std::string_view text, PolicyList list,
                                      std::vector<config::Finding>* findings = nullptr) {
  std::vector<policy::Entry> out;
  config::PolicyText read = config::read_policy_text(
      text, list, [&out](policy::Entry&& entry) { out.push_back(std::move(entry)); });
  if (read.is_broken) out.clear();
  if (findings != nullptr) {
    findings->insert(findings->end(), std::make_move_iterator(read.findings.begin()),
                     std::make_move_iterator(read.findings.end()));
  }
  return out;
}

std::shared_ptr<const policy::EntryMap> map_of(std::string_view text, PolicyList list,
                                               std::vector<config::Finding>* findings = nullptr) {
  auto map = std::make_shared<policy::EntryMap>();
  for (policy::Entry& entry : entries_of(text, list, findings)) map->add(std::move(entry));
  return map;
}

bool has_error(const std::vector<config::Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const config::Finding& finding) { return finding.is_error; });
}

}  // namespace

std::string text_etag(std::string_view text) { return tls::hex(tls::sha256(text)).substr(0, 32); }

PolicyDesk::PolicyDesk(std::string dir, PolicyHistory& history)
    : dir_(std::move(dir)), history_(history) {}

policy::Mode PolicyDesk::mode() const {
  const config::FileText file =
      config::read_guarded(dir_, "mode", config::Confine::kNo, kMostModeBytes);
  return policy::parse_mode(base::trim(file.text)).value_or(policy::Mode::kEnforce);
}

base::Result<void> PolicyDesk::set_mode(policy::Mode mode, const std::string& who) {
  const std::scoped_lock lock(mutex_);
  history_.look(dir_, "outside the console");
  if (auto done = config::write_mode(dir_, mode); !done) return done;
  history_.look(dir_, who);
  return {};
}

base::Result<std::string> PolicyDesk::policy_json() const {
  std::array<std::string, kLists.size()> texts;
  for (std::size_t i = 0; i < kLists.size(); ++i) {
    auto text = config::policy_text(dir_, kLists[i]);
    if (!text) return tl::unexpected(text.error());
    texts[i] = std::move(*text);
  }
  JsonWriter json;
  json.begin_object().key("mode").text(policy::word(mode()));
  for (std::size_t i = 0; i < kLists.size(); ++i) {
    json.key(kLists[i] == PolicyList::kEnforce ? "enforce" : "blocklist").begin_array();
    for (const policy::Entry& entry : entries_of(texts[i], kLists[i])) write_entry(json, entry);
    json.end_array();
  }
  json.key("files").begin_object();
  for (std::size_t i = 0; i < kLists.size(); ++i) {
    json.key(config::file_name(kLists[i])).begin_object().key("text").text(texts[i]);
    json.key("etag").text(text_etag(texts[i])).end_object();
  }
  json.end_object().key("findings");
  write_findings(json, findings());
  json.end_object();
  return json.take();
}

std::vector<config::Finding> PolicyDesk::findings() const {
  std::vector<config::Finding> out = config::read_policy(dir_).findings;
  const auto writable = config::writable_policy(dir_);
  out.insert(out.end(), writable.begin(), writable.end());
  const auto agents = config::read_agent_networks(dir_).findings;
  out.insert(out.end(), agents.begin(), agents.end());
  return out;
}

PolicyDesk::Counts PolicyDesk::counts() const {
  const config::PolicyReading reading = config::read_policy(dir_);
  Counts out;
  if (reading.enforce) out.enforce = reading.enforce->size();
  if (reading.blocklist) out.blocklist = reading.blocklist->size();
  for (const auto& list : reading.block_lists) out.blocklist += list->size();
  out.agents = config::read_agent_networks(dir_).networks.size();
  return out;
}

base::Result<void> PolicyDesk::apply(const PolicyChange& change, const std::string& who) {
  const std::scoped_lock lock(mutex_);
  history_.look(dir_, "outside the console");
  const auto done = change.action == config::EntryAction::kAdd
                        ? config::add_entry(dir_, change.list, change.entry)
                        : config::remove_entry(dir_, change.list, change.entry);
  if (!done) return tl::unexpected(done.error());
  history_.look(dir_, who);
  return {};
}

base::Result<void> PolicyDesk::put_file(PolicyList list, const std::string& text,
                                        const std::string& etag, const std::string& who,
                                        std::vector<config::Finding>& findings) {
  const std::scoped_lock lock(mutex_);
  history_.look(dir_, "outside the console");
  const auto before = config::policy_text(dir_, list);
  if (!before) return tl::unexpected(before.error());
  const std::string name(config::file_name(list));
  if (text_etag(*before) != etag) {
    return base::fail(base::Code::kBadPolicy, base::Fault::kOrigin,
                      name + " has changed meanwhile: load it anew");
  }
  entries_of(text, list, &findings);
  if (has_error(findings)) {
    return base::fail(base::Code::kBadPolicy, base::Fault::kClient,
                      name + " is not saved: it has errors");
  }
  if (auto done = config::replace_policy_text(dir_, list, *before, text); !done) return done;
  history_.look(dir_, who);
  return {};
}

base::Result<void> PolicyDesk::undo(const PolicyRevision& change, const std::string& who) {
  const std::scoped_lock lock(mutex_);
  history_.look(dir_, "outside the console");
  if (!change.is_newest) {
    return tl::unexpected(wrong("only the newest change of a file can be taken back"));
  }
  if (change.file == "mode") {
    const auto before = policy::parse_mode(base::trim(change.before));
    if (!before) return tl::unexpected(wrong("the mode before was none"));
    if (mode() != policy::parse_mode(base::trim(change.after))) {
      return tl::unexpected(wrong("the mode has changed since"));
    }
    if (auto done = config::write_mode(dir_, *before); !done) return done;
  } else {
    const auto list = list_of_file(change.file);
    if (!list) return tl::unexpected(wrong("no such file: " + change.file));
    auto done = config::replace_policy_text(dir_, *list, change.after, change.before);
    if (!done && done.error().code == base::Code::kBadPolicy) {
      return tl::unexpected(wrong(change.file + " has changed since"));
    }
    if (!done) return done;
  }
  history_.look(dir_, who + " (undo of " + std::to_string(change.seq) + ")");
  return {};
}

base::Result<ProposedPolicy> PolicyDesk::propose(const std::vector<PolicyChange>& changes,
                                                 const std::map<std::string, std::string>& texts,
                                                 std::optional<policy::Mode> mode_wanted) const {
  const config::PolicyReading reading = config::read_policy(dir_);
  auto present = std::make_shared<policy::Snapshot>();
  present->mode = mode();
  present->block_lists = reading.block_lists;
  auto proposed = std::make_shared<policy::Snapshot>();
  proposed->mode = mode_wanted.value_or(present->mode);
  proposed->block_lists = reading.block_lists;
  ProposedPolicy out;
  for (const PolicyList list : kLists) {
    auto text = config::policy_text(dir_, list);
    if (!text) return tl::unexpected(text.error());
    const auto now = map_of(*text, list);
    if (const auto other = texts.find(std::string(config::file_name(list))); other != texts.end()) {
      *text = other->second;
    }
    for (const PolicyChange& change : changes) {
      if (change.list != list) continue;
      auto after = config::text_with_change(list, *text, change.action, change.entry);
      if (!after) return tl::unexpected(after.error());
      *text = std::move(*after);
    }
    const auto then = map_of(*text, list, &out.findings);
    (list == PolicyList::kEnforce ? present->enforce : present->blocklist) = now;
    (list == PolicyList::kEnforce ? proposed->enforce : proposed->blocklist) = then;
  }
  out.present = std::move(present);
  out.proposed = std::move(proposed);
  return out;
}

}  // namespace leash::console
