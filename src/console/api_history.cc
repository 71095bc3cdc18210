// GET /api/policy/history, POST /api/policy/undo.
#include "console/api.h"
#include "insight/unified_diff.h"

namespace leash::console {
namespace {

Reply history(Parts& parts, const Call& call) {
  const auto limit = read_count(call.request, "limit", 100, 500);
  if (!limit) return error_reply(limit.error());
  parts.desk.look();
  const auto changes = parts.history.changes(*limit);
  if (!changes) return error_reply(changes.error());
  JsonWriter json;
  json.begin_object().key("changes").begin_array();
  for (const PolicyRevision& change : *changes) {
    json.begin_object().key("seq").number(change.seq).key("ts").text(time_text(change.time_us));
    json.key("who").text(change.who).key("file").text(change.file);
    json.key("diff").text(
        insight::unified_diff(change.before, change.after, "a/" + change.file, "b/" + change.file));
    json.key("can_undo").boolean(change.is_newest).end_object();
  }
  json.end_array().end_object();
  return json_reply(json.take());
}

Reply undo(Parts& parts, const Call& call) {
  const auto body = read_body(call.request);
  if (!body) return error_reply(body.error());
  const auto seq = body->integer("seq");
  if (!seq || *seq < 1) return error_reply(400, "seq is needed");
  const auto change = parts.history.change(static_cast<std::uint64_t>(*seq));
  if (!change) return error_reply(change.error());
  if (!*change) return error_reply(404, "there is no such change");
  const auto done = parts.desk.undo(**change, call.caller.who);
  if (!done && done.error().code == base::Code::kBadConfig) {
    return error_reply(409, done.error().detail);
  }
  if (!done) return error_reply(done.error());
  const auto policy = parts.desk.policy_json();
  if (!policy) return error_reply(policy.error());
  JsonWriter json;
  json.begin_object().key("ok").boolean(true).key("policy").raw(*policy).end_object();
  return json_reply(json.take());
}

}  // namespace

void add_history_routes(Router& router, Parts& parts) {
  router.add(
      {"GET",
       "/api/policy/history",
       {},
       "changes of the policy files, the newest first",
       {{"limit", "changes; 100, at most 500"}},
       nullptr,
       R"({"type":"object","required":["changes"],"properties":{"changes":{"type":"array","items":{"type":"object","required":["ts","seq","who","file","diff","can_undo"]}}}})",
       [&parts](const Call& call) { return history(parts, call); }});
  router.add({"POST",
              "/api/policy/undo",
              {Role::kOperator, true},
              "take the newest change of a file back",
              {},
              R"({"type":"object","required":["seq"],"properties":{"seq":{"type":"integer"}}})",
              R"({"$ref":"#/components/schemas/Changed"})",
              [&parts](const Call& call) { return undo(parts, call); }});
}

}  // namespace leash::console
