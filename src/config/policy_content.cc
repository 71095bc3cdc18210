#include "config/policy_content.h"

#include "base/text.h"
#include "config/host_list.h"
#include "config/policy_reader.h"

namespace leash::config {
namespace {

PolicyContent read_mode(const std::string& name, std::string_view text) {
  PolicyContent out;
  out.is_usable = true;
  out.mode = policy::parse_mode(base::trim(text));
  if (!out.mode) {
    out.mode = policy::Mode::kEnforce;
    out.findings.push_back(
        {name, 1, "not one of enforce, audit, blocklist: enforce is in force", true});
  }
  return out;
}

PolicyContent read_entries(PolicyList list, std::string_view text) {
  PolicyContent out;
  auto entries = std::make_shared<policy::EntryMap>();
  PolicyText read =
      read_policy_text(text, list, [&](policy::Entry&& entry) { entries->add(std::move(entry)); });
  out.is_usable = !read.is_broken;
  out.findings = std::move(read.findings);
  if (out.is_usable) {
    out.entries = std::move(entries);
    out.lists = std::move(read.lists);
  }
  return out;
}

}  // namespace

PolicyContent read_policy_content(PolicyFileKind kind, const std::string& name,
                                  std::string_view text) {
  switch (kind) {
    case PolicyFileKind::kMode:
      return read_mode(name, text);
    case PolicyFileKind::kEnforce:
      return read_entries(PolicyList::kEnforce, text);
    case PolicyFileKind::kBlocklist:
      return read_entries(PolicyList::kBlocklist, text);
    case PolicyFileKind::kHostList:
      break;
  }
  PolicyContent out;
  HostList list = read_host_list(text, name);
  out.is_usable = list.hosts != nullptr;
  out.hosts = std::move(list.hosts);
  out.findings = std::move(list.findings);
  return out;
}

}  // namespace leash::config
