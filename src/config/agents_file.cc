#include "config/agents_file.h"

#include <utility>

#include "config/policy_reader.h"
#include "config/yaml_reader.h"

namespace leash::config {
namespace {

constexpr const char* kFile = "agents.yaml";
constexpr const char* kKey = "agent_networks";
constexpr std::size_t kMostBytes = std::size_t{1024} * 1024;

void read_networks(const YamlNode& list, AgentNetworks& out, FindingLog& log) {
  const auto fault = [&](int line, const std::string& text) {
    out.is_closed = true;
    log.error(line, text + " (the console refuses everybody)");
  };
  if (list.is_null()) return;
  // A plain string would otherwise be an easy mistake to miss: one network instead of a list.
  if (!list.is_list()) {
    fault(list.line, "agent_networks must be a list of networks");
    return;
  }
  for (const YamlNode& item : list.items) {
    auto network = item.is_scalar() ? base::Network::parse(item.text)
                                    : base::fail(base::Code::kBadSyntax, base::Fault::kProxy, "");
    if (network) {
      out.networks.push_back(*network);
    } else {
      fault(item.line, "not a network (such as 10.10.10.0/24)");
    }
  }
}

}  // namespace

AgentNetworks read_agent_networks(const std::string& dir) {
  AgentNetworks out;
  FindingLog log(kFile);
  const FileText file = read_guarded(dir, kFile, Confine::kNo, kMostBytes);
  if (file.state == FileText::State::kUnusable) {
    out.is_closed = true;
    log.error(0, file.error + " (the console refuses everybody)");
  } else if (file.state == FileText::State::kRead) {
    out.stamp = file.stamp;
    out.is_torn = file.is_torn;
    const auto tree = parse_yaml(file.text);
    if (!tree || !(tree->is_map() || tree->is_null())) {
      out.is_closed = true;
      log.error(tree ? tree->line : tree.error().line,
                (tree ? "must be a mapping with agent_networks" : tree.error().text) +
                    std::string(" (the console refuses everybody)"));
    } else if (const YamlNode* list = tree->find(kKey); list != nullptr) {
      read_networks(*list, out, log);
    }
  }
  if (!out.is_closed && out.networks.empty()) {
    log.warning(0, "no agent networks: the console takes every client for an operator");
  }
  out.findings = log.take();
  return out;
}

}  // namespace leash::config
