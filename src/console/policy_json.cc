#include "console/policy_json.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "config/policy_reader.h"
#include "console/bad_request.h"
#include "insight/moment.h"

namespace leash::console {
namespace {

// A text of the body that may stand on one line of a file.
base::Result<std::string> read_line(const JsonValue& body, const char* key) {
  if (!body.has(key)) return std::string();
  const auto text = body.text(key);
  if (!text) return bad_request(std::string(key) + " must be a text");
  const bool is_broken = std::any_of(text->begin(), text->end(),
                                     [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  if (is_broken) return bad_request(std::string(key) + " contains invalid characters");
  return *text;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

base::Result<std::optional<std::uint16_t>> read_port(const JsonValue& body) {
  if (!body.has("port")) return std::optional<std::uint16_t>();
  const auto port = body.integer("port");
  if (!port || *port < 1 || *port > 65'535)
    return bad_request("port must be a number from 1 to 65535");
  return std::optional(static_cast<std::uint16_t>(*port));
}

}  // namespace

void write_entry(JsonWriter& json, const policy::Entry& entry) {
  json.begin_object().key("host").text(entry.host.text()).key("ports").begin_array();
  for (const std::uint16_t port : entry.ports) json.number(std::uint64_t{port});
  json.end_array();
  if (!entry.paths.empty()) {
    json.key("paths").begin_array();
    for (const policy::PathRule& rule : entry.paths) {
      json.begin_object().key("method").text(rule.method).key("prefix").text(rule.prefix);
      json.end_object();
    }
    json.end_array();
  }
  if (!entry.reason.empty()) json.key("reason").text(entry.reason);
  if (entry.expires != std::chrono::system_clock::time_point::max()) {
    json.key("expires").text(insight::second_text(entry.expires));
  }
  if (entry.tls == policy::TlsMode::kSplice) json.key("tls").text("splice");
  if (!entry.networks.empty()) {
    json.key("networks").begin_array();
    for (const base::Network& network : entry.networks) json.text(network.text());
    json.end_array();
  }
  if (entry.health == policy::Health::kFaulty) json.key("faulty").boolean(true);
  if (entry.line > 0) json.key("line").number(std::int64_t{entry.line});
  json.end_object();
}

void write_findings(JsonWriter& json, const std::vector<config::Finding>& findings) {
  json.begin_array();
  for (const config::Finding& finding : findings) {
    json.begin_object().key("file").text(finding.file);
    json.key("line").number(std::int64_t{finding.line}).key("message").text(finding.text);
    json.key("severity").text(finding.is_error ? "error" : "warning").end_object();
  }
  json.end_array();
}

base::Result<config::EntryChange> read_entry_change(const JsonValue& body, config::PolicyList list,
                                                    config::EntryAction action) {
  if (!body.is_object()) return bad_request("the body must be an object");
  std::array<std::string, 6> texts;
  constexpr std::array kKeys = {"host", "scope", "method", "prefix", "reason", "expires"};
  for (std::size_t i = 0; i < kKeys.size(); ++i) {
    auto text = read_line(body, kKeys[i]);
    if (!text) return tl::unexpected(text.error());
    texts[i] = std::move(*text);
  }
  auto& [host, scope, method, prefix, reason, expires] = texts;
  config::EntryChange out;
  out.host = trimmed(host);
  if (out.host.empty()) return bad_request("host required");
  const auto port = read_port(body);
  if (!port) return tl::unexpected(port.error());
  const bool is_add = action == config::EntryAction::kAdd;
  if (is_add && *port) out.ports = {**port};
  // The original's default. A block entry without a port is for all of them, which is safer.
  if (is_add && !*port && list == config::PolicyList::kEnforce) out.ports = {443};
  if (!scope.empty() && scope != "host") {
    out.method = method;
    out.prefix = prefix.empty() ? "/" : prefix;
  }
  if (is_add) {
    out.reason = reason;
    out.expires = expires;
  }
  return out;
}

std::optional<config::PolicyList> parse_list(std::string_view word) {
  if (word == "enforce") return config::PolicyList::kEnforce;
  if (word == "blocklist") return config::PolicyList::kBlocklist;
  return std::nullopt;
}

std::optional<config::PolicyList> list_of_file(std::string_view file) {
  for (const auto list : {config::PolicyList::kEnforce, config::PolicyList::kBlocklist}) {
    if (config::file_name(list) == file) return list;
  }
  return std::nullopt;
}

base::Result<PolicyChange> read_change(const JsonValue& body) {
  if (!body.is_object()) return bad_request("a change must be an object");
  PolicyChange out;
  const auto list = parse_list(body.text("list").value_or(""));
  if (!list) return bad_request("list must be enforce or blocklist");
  out.list = *list;
  const std::string action = body.text("action").value_or("");
  if (action != "add" && action != "remove") return bad_request("action must be add or remove");
  out.action = action == "add" ? config::EntryAction::kAdd : config::EntryAction::kRemove;
  auto entry = read_entry_change(body, out.list, out.action);
  if (!entry) return tl::unexpected(entry.error());
  out.entry = std::move(*entry);
  return out;
}

void write_change(JsonWriter& json, const PolicyChange& change) {
  json.begin_object();
  json.key("list").text(change.list == config::PolicyList::kEnforce ? "enforce" : "blocklist");
  json.key("action").text(change.action == config::EntryAction::kAdd ? "add" : "remove");
  const bool is_path = !change.entry.method.empty() || !change.entry.prefix.empty();
  json.key("scope").text(is_path ? "path" : "host").key("host").text(change.entry.host);
  if (!change.entry.ports.empty()) {
    json.key("port").number(std::uint64_t{change.entry.ports.front()});
  }
  if (is_path) {
    json.key("method").text(change.entry.method).key("prefix").text(change.entry.prefix);
  }
  if (!change.entry.reason.empty()) json.key("reason").text(change.entry.reason);
  if (!change.entry.expires.empty()) json.key("expires").text(change.entry.expires);
  json.end_object();
}

}  // namespace leash::console
