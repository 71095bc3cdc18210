// GET /api/health, POST /api/index/rebuild.
#include <sys/statvfs.h>

#include <chrono>

#include "audit/rotated_name.h"
#include "base/text.h"
#include "console/api.h"
#include "insight/admin_client.h"
#include "insight/moment.h"
#include "tls/authority_store.h"

namespace leash::console {
namespace {

constexpr std::chrono::seconds kAdminTime{2};

// What leash itself says at its admin address.
struct LeashState {
  bool is_up = false;
  bool is_ready = false;
  std::string reasons;  // its answer
};

LeashState ask_leash(const Parts& parts) {
  LeashState out;
  if (parts.settings.leash.admin == "off") return out;
  const auto answer = insight::admin_get(parts.settings.leash.admin, "/readyz", kAdminTime);
  if (!answer) return out;
  out.is_up = true;
  out.is_ready = answer->status == 200;
  out.reasons = answer->body;
  return out;
}

// The original's three, word for word at their beginning.
std::vector<std::string> warnings_of(policy::Mode mode, const PolicyDesk::Counts& counts) {
  std::vector<std::string> out;
  if (counts.agents == 0) {
    out.emplace_back("agents.yaml has no networks: the console takes every client for an operator");
  }
  if (mode == policy::Mode::kEnforce && counts.enforce == 0) {
    out.emplace_back(
        "enforce mode is active but enforce.yaml is empty: every request will be blocked");
  }
  if (mode == policy::Mode::kBlocklist && counts.blocklist == 0) {
    out.emplace_back(
        "blocklist mode is active but blocklist.yaml is empty: nothing will be blocked");
  }
  return out;
}

void write_disk(JsonWriter& json, const std::string& folder) {
  struct statvfs disk {};
  if (::statvfs(folder.c_str(), &disk) != 0) {
    json.null();
    return;
  }
  json.begin_object();
  json.key("free_bytes").number(std::uint64_t{disk.f_bavail} * disk.f_frsize);
  json.key("total_bytes").number(std::uint64_t{disk.f_blocks} * disk.f_frsize).end_object();
}

void write_ca(JsonWriter& json, const std::string& dir) {
  const auto certificate = tls::read_ca_certificate(dir);
  if (!certificate) {
    json.null();
    return;
  }
  const auto now = std::chrono::system_clock::now();
  json.begin_object().key("not_after").text(certificate->not_after).key("days_left");
  const auto end = insight::parse_moment(certificate->not_after, now);
  if (end) {
    json.number(std::int64_t{std::chrono::floor<std::chrono::days>(*end - now).count()});
  } else {
    json.null();
  }
  json.key("fingerprint").text(certificate->fingerprint).end_object();
}

Reply health(Parts& parts) {
  const policy::Mode mode = parts.desk.mode();
  const PolicyDesk::Counts counts = parts.desk.counts();
  const LeashState leash = ask_leash(parts);
  JsonWriter json;
  json.begin_object().key("mode").text(policy::word(mode));
  json.key("enforce_entries").number(std::uint64_t{counts.enforce});
  json.key("blocklist_entries").number(std::uint64_t{counts.blocklist});
  json.key("agents_entries").number(std::uint64_t{counts.agents});
  json.key("warnings").begin_array();
  for (const std::string& warning : warnings_of(mode, counts)) json.text(warning);
  json.end_array().key("findings");
  write_findings(json, parts.desk.findings());
  json.key("leash").begin_object().key("up").boolean(leash.is_up);
  json.key("ready").boolean(leash.is_ready).key("version").text(LEASH_VERSION);
  if (leash.is_up && !leash.is_ready) json.key("reasons").text(base::trim(leash.reasons));
  json.end_object();
  // leash is not ready while it cannot write its log, and says so.
  const bool has_trouble = leash.reasons.find("audit") != std::string::npos;
  json.key("audit").begin_object().key("state");
  json.text(!leash.is_up ? "unknown" : has_trouble ? "unavailable" : "ok").end_object();
  json.key("disk");
  write_disk(json, audit::folder_of(parts.settings.leash.log));
  json.key("ca");
  write_ca(json, parts.settings.leash.ca_dir);
  json.key("console").begin_object().key("version").text(LEASH_VERSION);
  json.key("auth").text(parts.settings.auth == Auth::kOff ? "off" : "token").key("index");
  write_index_state(json, parts.indexer.status());
  json.end_object().end_object();
  return json_reply(json.take());
}

Reply rebuild(Parts& parts) {
  parts.indexer.rebuild();
  JsonWriter json;
  json.begin_object().key("ok").boolean(true).end_object();
  return json_reply(json.take());
}

}  // namespace

void add_health_routes(Router& router, Parts& parts) {
  router.add(
      {"GET",
       "/api/health",
       {},
       "policy, leash, log, disk, CA and index at a glance",
       {},
       nullptr,
       R"({"type":"object","required":["mode","enforce_entries","blocklist_entries","agents_entries","warnings","leash","audit","disk","ca","console"]})",
       [&parts](const Call&) { return health(parts); }});
  router.add({"POST",
              "/api/index/rebuild",
              {Role::kOperator, true},
              "throw the index away and make it anew from the log",
              {},
              nullptr,
              R"({"type":"object","required":["ok"],"properties":{"ok":{"type":"boolean"}}})",
              [&parts](const Call&) { return rebuild(parts); }});
}

}  // namespace leash::console
