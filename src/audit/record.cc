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

// A body may have a megabyte: value_or() would copy it.
template <class T>
std::string_view view_of(const std::optional<T>& text) {
  return text ? std::string_view(*text) : std::string_view();
}

void append_text(std::string& out, const Key& key, std::string_view value) {
  if (value.empty()) return;
  append_key(out, key);
  append_string(out, value);
}

void append_true(std::string& out, const Key& key, bool value) {
  if (!value) return;
  append_key(out, key);
  out.append("true");
}

// An empty list is written: it says that there were none.
void append_headers(std::string& out, const Key& key, const std::optional<Text>& headers) {
  if (!headers) return;
  append_key(out, key);
  out.append(headers->view());
}

void append_list(std::string& out, std::string_view key, const std::vector<std::string>& values) {
  append_named_key(out, key);
  out.push_back('[');
  for (const std::string& value : values) {
    if (&value != &values.front()) out.append(", ");
    append_string(out, value);
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
  append_text(out, "req_body", view_of(record.req_body));
  append_text(out, "res_body", view_of(record.res_body));
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
    append_named_key(out, key);
    append_string(out, value);
  }
  for (const auto& [key, value] : record.extra_numbers) {
    append_named_key(out, key);
    append_number(out, value);
  }
  for (const auto& [key, values] : record.extra_lists) append_list(out, key, values);
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
    case Event::kWebsocketMessage:
      return "websocket_message";
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

double unix_seconds(std::chrono::system_clock::time_point time) {
  // Nanoseconds since 1970 have more digits than a double: the whole seconds go apart.
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const std::chrono::duration<double> rest = time - seconds;
  return static_cast<double>(seconds.time_since_epoch().count()) + rest.count();
}

std::string render(const Record& record) {
  std::string out;
  render(record, out);
  return out;
}

void render(const Record& record, std::string& out) {
  // Room for the usual fields and for what the writer puts at the end, so that a line is moved, not
  // copied, on its way.
  out.reserve(out.size() + 768 + record.url.size() + view_of(record.req_headers).size() +
              view_of(record.res_headers).size() + view_of(record.req_body).size() +
              view_of(record.res_body).size());
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
}

}  // namespace leash::audit
