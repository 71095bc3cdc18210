#include "console/api.h"

#include <algorithm>

#include "base/text.h"
#include "console/bad_request.h"

namespace leash::console {

Reply error_reply(const base::Error& error) {
  const std::string& text = error.detail.empty() ? error.text() : error.detail;
  switch (error.code) {
    case base::Code::kBadConfig:
    case base::Code::kBadSyntax:
      return error_reply(400, text);
    case base::Code::kBadPolicy:
      if (error.fault == base::Fault::kOrigin) return error_reply(409, text);
      return error_reply(error.fault == base::Fault::kClient ? 422 : 500, text);
    case base::Code::kTimeout:
      return error_reply(503, text + ": ask for a shorter time or a longer word");
    default:
      return error_reply(error.detail == kBeingMade ? 503 : 500, text);
  }
}

Reply json_reply(std::string body) { return {.body = std::move(body)}; }

base::Result<JsonValue> read_body(const Request& request) {
  auto body = JsonValue::parse(request.body);
  if (!body || !body->is_object()) {
    return bad_request("the body must be a JSON object");
  }
  return std::move(*body);
}

base::Result<std::size_t> read_count(const Request& request, const char* name, std::size_t fallback,
                                     std::size_t most) {
  const auto text = request.parameter(name);
  if (!text || text->empty()) return fallback;
  const auto count = base::parse_decimal(*text);
  if (!count) {
    return bad_request(std::string(name) + ": not a number");
  }
  return static_cast<std::size_t>(std::min<std::uint64_t>(*count, most));
}

void write_index_state(JsonWriter& json, const IndexStatus& status) {
  json.begin_object().key("lines").number(status.counts.lines);
  json.key("bytes_done").number(status.bytes_done).key("bytes_total").number(status.bytes_total);
  json.key("state").text(status.is_ready ? "ready" : "building");
  json.key("skipped").number(status.counts.skipped);
  if (!status.trouble.empty()) json.key("error").text(status.trouble);
  json.end_object();
}

std::vector<Parameter> filter_parameters() {
  return {{"after", "from then on: 2026-01-31T12:00:00Z, Unix seconds, or 15m, 2h, 7d ago"},
          {"before", "before then"},
          {"q", "part of the URL, host, reason, agent or client"},
          {"host", "these hosts (a list with commas) and those below them"},
          {"exclude_hosts", "not these hosts"},
          {"client", "part of the client's address, or a network"},
          {"agent", "this agent"},
          {"event", "these events (a list); all; without: all but intents and checkpoints"},
          {"status", "404, 4xx or 400-499; a list"},
          {"would_block", "1: only what enforce would have blocked"},
          {"internet_only", "1: no places of the local network"}};
}

}  // namespace leash::console
