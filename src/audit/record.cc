#include "audit/record.h"

#include <cmath>

#include "audit/json_text.h"
#include "base/text.h"

namespace leash::audit {
namespace {

bool has_peer(Event event) {
  switch (event) {
    case Event::kModeChange:
    case Event::kPolicyChange:
    case Event::kPolicyError:
    case Event::kStart:
    case Event::kStop:
    case Event::kCheckpoint:
      return false;
    default:
      return true;
  }
}

void append_text(std::string& out, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  append_key(out, key);
  append_string(out, value);
}

void append_true(std::string& out, std::string_view key, bool value) {
  if (!value) return;
  append_key(out, key);
  out.append("true");
}

// An empty list is written: it says that there were none.
void append_headers(std::string& out, std::string_view key,
                    const std::optional<HeaderList>& headers) {
  if (!headers) return;
  append_key(out, key);
  out.push_back('[');
  bool is_first = true;
  for (const auto& [name, value] : *headers) {
    out.append(is_first ? "[" : ", [");
    append_string(out, name);
    out.append(", ");
    append_string(out, value);
    out.push_back(']');
    is_first = false;
  }
  out.push_back(']');
}

void append_original(std::string& out, const Record& record) {
  append_text(out, "method", record.method);
  append_text(out, "url", record.url);
  append_text(out, "reason", record.reason);
  if (record.status != 0) {
    append_key(out, "status");
    append_number(out, static_cast<std::int64_t>(record.status));
  }
  if (record.bytes != 0) {
    append_key(out, "bytes");
    append_number(out, record.bytes);
  }
  if (record.would_block) append_text(out, "audit", "would_block_in_enforce");
  append_headers(out, "req_headers", record.req_headers);
  append_headers(out, "res_headers", record.res_headers);
  append_text(out, "req_body", record.req_body.value_or(""));
  append_text(out, "res_body", record.res_body.value_or(""));
  append_true(out, "req_truncated", record.req_truncated);
  append_true(out, "res_truncated", record.res_truncated);
}

void append_ours(std::string& out, const Record& record) {
  append_text(out, "id", record.id);
  append_text(out, "tunnel", record.tunnel);
  append_text(out, "agent", record.agent);
  append_text(out, "sni", record.sni);
  append_text(out, "addr", record.addr);
  append_text(out, "alpn", record.alpn);
  append_text(out, "origin_cert", record.origin_cert);
  append_text(out, "names", record.names);
  append_text(out, "rule", record.rule);
  append_text(out, "note", record.note);
  append_text(out, "tls", record.tls);
  if (record.ms && std::isfinite(*record.ms)) {
    append_key(out, "ms");
    append_double(out, std::round(*record.ms * 1000) / 1000);
  }
  if (record.bytes_up) {
    append_key(out, "bytes_up");
    append_number(out, *record.bytes_up);
  }
  if (record.bytes_down) {
    append_key(out, "bytes_down");
    append_number(out, *record.bytes_down);
  }
  for (const auto& [key, value] : record.extra) {
    append_key(out, key);
    append_string(out, value);
  }
  for (const auto& [key, value] : record.extra_numbers) {
    append_key(out, key);
    append_number(out, value);
  }
}

std::size_t size_of(const std::optional<HeaderList>& headers) {
  std::size_t size = 0;
  if (headers) {
    for (const auto& [name, value] : *headers) size += name.size() + value.size() + 10;
  }
  return size;
}

}  // namespace

std::string_view word(Event event) {
  switch (event) {
    case Event::kConnectAllowed:
      return "connect_allowed";
    case Event::kRequest:
      return "request";
    case Event::kAllowed:
      return "allowed";
    case Event::kBlocked:
      return "blocked";
    case Event::kError:
      return "error";
    case Event::kTunnelClosed:
      return "tunnel_closed";
    case Event::kWebsocketClosed:
      return "websocket_closed";
    case Event::kModeChange:
      return "mode_change";
    case Event::kPolicyChange:
      return "policy_change";
    case Event::kPolicyError:
      return "policy_error";
    case Event::kStart:
      return "start";
    case Event::kStop:
      return "stop";
    case Event::kCheckpoint:
      return "checkpoint";
  }
  return "error";
}

HeaderList fold_headers(const std::vector<std::pair<std::string_view, std::string_view>>& fields) {
  // Heads have at most 128 fields or so: a scan beats a map.
  HeaderList out;
  for (const auto& [name, value] : fields) {
    bool is_known = false;
    for (auto& [known, joined] : out) {
      if (!base::equals_ignoring_case(known, name)) continue;
      joined.append(", ").append(value);
      is_known = true;
      break;
    }
    if (!is_known) out.emplace_back(name, value);
  }
  return out;
}

double unix_seconds(std::chrono::system_clock::time_point time) {
  // Nanoseconds since 1970 have more digits than a double: the whole seconds go apart.
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const std::chrono::duration<double> rest = time - seconds;
  return static_cast<double>(seconds.time_since_epoch().count()) + rest.count();
}

std::string render(const Record& record) {
  std::string out;
  // Room for the usual fields and for what the writer puts at the end, so that a line is moved, not
  // copied, on its way.
  out.reserve(768 + record.url.size() + size_of(record.req_headers) + size_of(record.res_headers) +
              record.req_body.value_or("").size() + record.res_body.value_or("").size());
  const auto time = record.time == std::chrono::system_clock::time_point{}
                        ? std::chrono::system_clock::now()
                        : record.time;
  out.append("{\"ts\": ");
  append_double(out, unix_seconds(time));
  append_key(out, "event");
  append_string(out, word(record.event));
  if (has_peer(record.event)) {
    append_key(out, "client");
    if (record.client) {
      append_string(out, *record.client);
    } else {
      out.append("null");
    }
    append_key(out, "host");
    append_string(out, record.host);
    append_key(out, "port");
    append_number(out, static_cast<std::uint64_t>(record.port));
  }
  append_original(out, record);
  append_ours(out, record);
  return out;
}

}  // namespace leash::audit
