// POST /api/policy/preview: what would another policy have done to the requests of late.
#include <algorithm>
#include <chrono>
#include <map>

#include "console/api.h"
#include "console/bad_request.h"
#include "console/http_server.h"
#include "console/replay.h"
#include "policy/decide.h"

namespace leash::console {
namespace {

constexpr std::size_t kMostChanges = 200;
constexpr std::size_t kMostSamples = 20;
constexpr std::int64_t kMostHours = 24 * 31;

base::Result<std::vector<PolicyChange>> read_changes(const JsonValue& body) {
  std::vector<PolicyChange> out;
  const auto list = body.member("changes");
  if (!list) return out;
  if (!list->is_array()) return bad_request("changes must be a list");
  for (const JsonValue& item : list->items()) {
    if (out.size() == kMostChanges) return bad_request("more than 200 changes");
    auto change = read_change(item);
    if (!change) return tl::unexpected(change.error());
    out.push_back(std::move(*change));
  }
  return out;
}

base::Result<std::map<std::string, std::string>> read_texts(const JsonValue& body) {
  std::map<std::string, std::string> out;
  const auto files = body.member("files");
  if (!files) return out;
  for (const std::string& name : files->keys()) {
    const auto text = files->text(name);
    if (!list_of_file(name) || !text) {
      return bad_request("files may be enforce.yaml and blocklist.yaml, each a text");
    }
    out[name] = *text;
  }
  return out;
}

struct Outcome {
  std::uint64_t count = 0;
  std::vector<const RequestGroup*> samples;

  void add(const RequestGroup& group) {
    count += group.count;
    samples.push_back(&group);
  }
  // The most frequent ones.
  void write(JsonWriter& json) {
    const std::size_t shown = std::min(samples.size(), kMostSamples);
    std::partial_sort(
        samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(shown), samples.end(),
        [](const RequestGroup* a, const RequestGroup* b) { return a->count > b->count; });
    json.begin_array();
    for (std::size_t i = 0; i < shown; ++i) {
      json.begin_object();
      write_row_members(json, samples[i]->newest);
      json.key("count").number(samples[i]->count).end_object();
    }
    json.end_array();
  }
};

Reply answer(const ProposedPolicy& policy, const RequestGroups& groups) {
  const auto now = std::chrono::system_clock::now();
  Outcome refused;
  Outcome allowed;
  std::uint64_t requests = 0;
  for (const RequestGroup& group : groups.groups) {
    const auto request = replayed(group.newest);
    if (!request) continue;
    requests += group.count;
    const bool is_allowed = decide_again(*policy.present, *request, now);
    const bool would_be = decide_again(*policy.proposed, *request, now);
    if (is_allowed && !would_be) refused.add(group);
    if (!is_allowed && would_be) allowed.add(group);
  }
  JsonWriter json;
  json.begin_object().key("requests").number(requests);
  json.key("now_refused").number(refused.count).key("now_allowed").number(allowed.count);
  json.key("refused_samples");
  refused.write(json);
  json.key("allowed_samples");
  allowed.write(json);
  json.key("findings");
  write_findings(json, policy.findings);
  if (groups.complete_from_us > 0) {
    json.key("complete_from").text(time_text(groups.complete_from_us));
  }
  json.end_object();
  return json_reply(json.take());
}

Reply preview(Parts& parts, const Call& call) {
  const auto body = read_body(call.request);
  if (!body) return error_reply(body.error());
  const auto changes = read_changes(*body);
  if (!changes) return error_reply(changes.error());
  const auto texts = read_texts(*body);
  if (!texts) return error_reply(texts.error());
  std::optional<policy::Mode> mode;
  if (body->has("mode")) {
    mode = policy::parse_mode(body->text("mode").value_or(""));
    if (!mode) return error_reply(400, "mode must be enforce, audit or blocklist");
  }
  const std::int64_t hours = body->integer("hours").value_or(24);
  if (hours < 1 || hours > kMostHours) return error_reply(400, "hours must be 1 to 744");
  const auto policy = parts.desk.propose(*changes, *texts, mode);
  if (!policy) return error_reply(policy.error());
  const auto groups = parts.readers.ask(
      [&](IndexReader& reader) { return reader.groups(replay_filter(hours), kMostGroups); });
  if (!groups) return error_reply(groups.error());
  return answer(*policy, *groups);
}

}  // namespace

void add_preview_routes(Router& router, Parts& parts) {
  router.add(
      {"POST",
       "/api/policy/preview",
       {Role::kViewer, true, HttpServer::kMaxBodyBytes},
       "what another policy would have done to the last hours' requests",
       {},
       R"({"type":"object","properties":{"changes":{"type":"array","items":{"$ref":"#/components/schemas/Change"}},"files":{"type":"object","additionalProperties":{"type":"string"}},"mode":{"enum":["enforce","audit","blocklist"]},"hours":{"type":"integer"}}})",
       R"({"type":"object","required":["requests","now_refused","now_allowed","refused_samples","allowed_samples","findings"],"properties":{"requests":{"type":"integer"},"now_refused":{"type":"integer"},"now_allowed":{"type":"integer"},"refused_samples":{"type":"array","items":{"$ref":"#/components/schemas/Row"}},"allowed_samples":{"type":"array","items":{"$ref":"#/components/schemas/Row"}},"findings":{"type":"array","items":{"$ref":"#/components/schemas/Finding"}}}})",
       [&parts](const Call& call) { return preview(parts, call); }});
}

}  // namespace leash::console
