// GET, PUT and POST /api/mode; GET /api/policy, its four POSTs, PUT /api/policy/file.
#include "config/policy_reader.h"
#include "console/api.h"
#include "console/http_server.h"

namespace leash::console {
namespace {

constexpr Need kOperatorChange{Role::kOperator, true};
constexpr Need kFileChange{Role::kOperator, true, HttpServer::kMaxBodyBytes};

Reply mode(Parts& parts) {
  JsonWriter json;
  json.begin_object().key("mode").text(policy::word(parts.desk.mode())).end_object();
  return json_reply(json.take());
}

Reply set_mode(Parts& parts, const Call& call) {
  const auto body = read_body(call.request);
  if (!body) return error_reply(body.error());
  const auto wanted = policy::parse_mode(body->text("mode").value_or(""));
  if (!wanted) {
    return error_reply(400, "mode must be one of ('enforce', 'audit', 'blocklist')");
  }
  if (auto done = parts.desk.set_mode(*wanted, call.caller.who); !done) {
    return error_reply(done.error());
  }
  JsonWriter json;
  json.begin_object().key("ok").boolean(true).key("mode").text(policy::word(*wanted)).end_object();
  return json_reply(json.take());
}

Reply policy(Parts& parts) {
  auto json = parts.desk.policy_json();
  return json ? json_reply(std::move(*json)) : error_reply(json.error());
}

Reply changed(Parts& parts) {
  const auto policy = parts.desk.policy_json();
  if (!policy) return error_reply(policy.error());
  JsonWriter json;
  json.begin_object().key("ok").boolean(true).key("policy").raw(*policy).end_object();
  return json_reply(json.take());
}

// The original's word for a change that cannot be made: 200.
Reply not_ok(const base::Error& error) {
  JsonWriter json;
  json.begin_object().key("ok").boolean(false).key("error");
  json.text(error.detail.empty() ? error.text() : error.detail).end_object();
  return json_reply(json.take());
}

Reply change(Parts& parts, const Call& call, config::PolicyList list, config::EntryAction action) {
  const auto body = read_body(call.request);
  if (!body) return error_reply(body.error());
  auto entry = read_entry_change(*body, list, action);
  if (!entry) return not_ok(entry.error());
  const auto done = parts.desk.apply({list, action, std::move(*entry)}, call.caller.who);
  if (!done && done.error().code == base::Code::kBadConfig) return not_ok(done.error());
  if (!done) return error_reply(done.error());
  return changed(parts);
}

Reply put_file(Parts& parts, const Call& call) {
  const auto body = read_body(call.request);
  if (!body) return error_reply(body.error());
  const auto list = list_of_file(body->text("file").value_or(""));
  if (!list) return error_reply(400, "file must be enforce.yaml or blocklist.yaml");
  const auto text = body->text("text");
  const auto etag = body->text("etag");
  if (!text || !etag) return error_reply(400, "text and etag are needed");
  std::vector<config::Finding> findings;
  const auto done = parts.desk.put_file(*list, *text, *etag, call.caller.who, findings);
  if (done) return changed(parts);
  Reply reply = error_reply(done.error());
  if (reply.status == 422) {
    JsonWriter json;
    json.begin_object().key("error").text(done.error().detail).key("findings");
    write_findings(json, findings);
    json.end_object();
    reply.body = json.take();
  }
  return reply;
}

constexpr const char* kModeSchema =
    R"({"type":"object","required":["mode"],"properties":{"mode":{"enum":["enforce","audit","blocklist"]},"ok":{"type":"boolean"}}})";
constexpr const char* kPolicySchema = R"({"$ref":"#/components/schemas/Policy"})";
constexpr const char* kEntrySchema =
    R"({"type":"object","required":["host"],"properties":{"host":{"type":"string"},"port":{"type":"integer"},"scope":{"enum":["host","path"]},"method":{"type":"string"},"prefix":{"type":"string"},"reason":{"type":"string"},"expires":{"type":"string"}}})";
constexpr const char* kChangedSchema = R"({"$ref":"#/components/schemas/Changed"})";
constexpr const char* kFileSchema =
    R"({"type":"object","required":["file","text","etag"],"properties":{"file":{"enum":["enforce.yaml","blocklist.yaml"]},"text":{"type":"string"},"etag":{"type":"string"}}})";

}  // namespace

void add_policy_routes(Router& router, Parts& parts) {
  router.add({"GET",
              "/api/mode",
              {},
              "the mode in force",
              {},
              nullptr,
              kModeSchema,
              [&parts](const Call&) { return mode(parts); }});
  for (const char* method : {"PUT", "POST"}) {
    router.add({method,
                "/api/mode",
                kOperatorChange,
                "set the mode",
                {},
                kModeSchema,
                kModeSchema,
                [&parts](const Call& call) { return set_mode(parts, call); }});
  }
  router.add({"GET",
              "/api/policy",
              {},
              "mode, entries, the files themselves and what is wrong",
              {},
              nullptr,
              kPolicySchema,
              [&parts](const Call&) { return policy(parts); }});
  const auto add_change = [&](const char* path, const char* summary, config::PolicyList list,
                              config::EntryAction action) {
    router.add(
        {"POST",
         path,
         kOperatorChange,
         summary,
         {},
         kEntrySchema,
         kChangedSchema,
         [&parts, list, action](const Call& call) { return change(parts, call, list, action); }});
  };
  using config::EntryAction;
  using config::PolicyList;
  add_change("/api/policy/enforce/add", "allow a host or a path", PolicyList::kEnforce,
             EntryAction::kAdd);
  add_change("/api/policy/enforce/remove", "take an allowed host or path back",
             PolicyList::kEnforce, EntryAction::kRemove);
  add_change("/api/policy/blocklist/add", "block a host or a path", PolicyList::kBlocklist,
             EntryAction::kAdd);
  add_change("/api/policy/blocklist/remove", "take a blocked host or path back",
             PolicyList::kBlocklist, EntryAction::kRemove);
  router.add({"PUT",
              "/api/policy/file",
              kFileChange,
              "put an edited file in place",
              {},
              kFileSchema,
              kChangedSchema,
              [&parts](const Call& call) { return put_file(parts, call); }});
}

}  // namespace leash::console
