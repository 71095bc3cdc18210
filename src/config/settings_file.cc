#include "config/settings_file.h"

#include <algorithm>

#include "config/guarded_file.h"
#include "config/setting_values.h"
#include "config/yaml_reader.h"

namespace leash::config {
namespace {

constexpr const char* kFile = "leash.yaml";
constexpr std::size_t kMostBytes = std::size_t{1024} * 1024;

tl::unexpected<base::Error> refuse(int line, const std::string& text) {
  std::string where = kFile;
  if (line > 0) where += ":" + std::to_string(line);
  return base::fail(base::Code::kBadConfig, base::Fault::kProxy, where + ": " + text);
}

// Stores a parsed value, or says where the text stood.
template <class T>
base::Result<void> store(const YamlNode& node, const std::string& key, base::Result<T> value,
                         T& into) {
  if (!value) return refuse(node.line, key + ": " + value.error().detail);
  into = std::move(*value);
  return {};
}

struct CountLimit {
  std::string_view key;
  std::size_t Limits::*member;
  std::size_t least;
  std::size_t most;
};

// Upper bounds keep products of these and byte sizes within 64 bits, and typos from passing.
constexpr CountLimit kCounts[] = {
    {"head_kb", &Limits::head_kb, 4, 16'384},
    {"head_fields", &Limits::head_fields, 8, 10'000},
    {"connections", &Limits::connections, 1, 1'000'000},
    {"connections_per_client", &Limits::connections_per_client, 1, 1'000'000},
    {"origin_connections", &Limits::origin_connections, 1, 1'000'000},
    {"origin_connections_per_client", &Limits::origin_connections_per_client, 1, 1'000'000},
    {"buffer_kb", &Limits::buffer_kb, 16, 1'048'576},
    {"capture_mb", &Limits::capture_mb, 1, 1'048'576},
    {"client_memory_mb", &Limits::client_memory_mb, 1, 1'048'576},
    {"h2_streams", &Limits::h2_streams, 1, 100'000},
    {"h2_resets_per_second", &Limits::h2_resets_per_second, 1, 1'000'000},
    {"leaves", &Limits::leaves, 1, 10'000'000},
};

struct TimeLimit {
  std::string_view key;
  std::chrono::milliseconds Limits::*member;
};

constexpr TimeLimit kTimes[] = {
    {"head_time", &Limits::head_time},
    {"client_handshake_time", &Limits::client_handshake_time},
    {"connect_time", &Limits::connect_time},
    {"origin_handshake_time", &Limits::origin_handshake_time},
    {"exchange_idle_time", &Limits::exchange_idle_time},
    {"client_idle_time", &Limits::client_idle_time},
    {"origin_idle_time", &Limits::origin_idle_time},
    {"origin_age", &Limits::origin_age},
    {"drain_time", &Limits::drain_time},
    {"upgrade_time", &Limits::upgrade_time},
};

base::Result<void> apply_limit(const YamlNode& key, const YamlNode& value, Limits& limits) {
  if (!value.is_scalar()) return refuse(value.line, "limits." + key.text + " must be one value");
  const std::string name = "limits." + key.text;
  for (const CountLimit& limit : kCounts) {
    if (key.text != limit.key) continue;
    return store(value, name, parse_count(value.text, limit.least, limit.most),
                 limits.*limit.member);
  }
  for (const TimeLimit& limit : kTimes) {
    if (key.text != limit.key) continue;
    auto time = parse_duration(value.text);
    // Only the wait at the end may be nothing at all.
    if (time && time->count() == 0 && limit.member != &Limits::drain_time) {
      return refuse(value.line, name + ": must be longer than nothing");
    }
    return store(value, name, std::move(time), limits.*limit.member);
  }
  return refuse(key.line, "unknown key '" + name + "'");
}

base::Result<void> refuse_repeated_keys(const YamlNode& map) {
  for (std::size_t i = 0; i + 1 < map.items.size(); i += 2) {
    if (map.find(map.items[i].text) != &map.items[i + 1]) {
      return refuse(map.items[i].line, "the key '" + map.items[i].text + "' appears twice");
    }
  }
  return {};
}

base::Result<void> apply_limits(const YamlNode& value, Limits& limits) {
  if (value.is_null()) return {};
  if (!value.is_map()) return refuse(value.line, "limits must be a mapping");
  // Bounds the look for repeated keys below.
  if (value.items.size() > 256) return refuse(value.line, "too many keys");
  if (auto done = refuse_repeated_keys(value); !done) return done;
  for (std::size_t i = 0; i + 1 < value.items.size(); i += 2) {
    if (auto done = apply_limit(value.items[i], value.items[i + 1], limits); !done) return done;
  }
  return {};
}

// A list of scalars, or one scalar for a list of one.
base::Result<std::vector<std::string>> texts_of(const YamlNode& node, const std::string& key) {
  std::vector<std::string> out;
  if (node.is_scalar()) {
    out.push_back(node.text);
    return out;
  }
  if (!node.is_list()) return refuse(node.line, key + " must be a text or a list");
  for (const YamlNode& item : node.items) {
    if (!item.is_scalar()) return refuse(item.line, key + " must be a list of texts");
    out.push_back(item.text);
  }
  return out;
}

base::Result<void> apply_key(const YamlNode& key, const YamlNode& value, Settings& out) {
  const std::string& name = key.text;
  if (name == "limits") return apply_limits(value, out.limits);
  if (name == "listen" || name == "allow_origin_networks" || name == "proxy_names" ||
      name == "console_listen") {
    auto texts = texts_of(value, name);
    if (!texts) return tl::unexpected(std::move(texts.error()));
    if (name == "listen") return store(value, name, parse_listen(*texts), out.listen);
    if (name == "console_listen") {
      return store(value, name, parse_console_listen(*texts), out.console_listen);
    }
    if (name == "proxy_names") {
      return store(value, name, parse_proxy_names(*texts), out.proxy_names);
    }
    return store(value, name, parse_networks(*texts), out.origin_networks);
  }
  constexpr std::string_view kScalars[] = {
      "admin",         "log",        "ca_dir",   "origin_ca", "body_limit_kb", "workers",
      "identity_host", "log_max_mb", "log_keep", "syslog",    "audit_socket",  "capture_websocket"};
  if (std::find(std::begin(kScalars), std::end(kScalars), name) == std::end(kScalars)) {
    return refuse(key.line, "unknown key '" + name + "'");
  }
  if (!value.is_scalar()) return refuse(value.line, name + " must be one value");
  if (name == "admin") return store(value, name, parse_admin(value.text), out.admin);
  if (name == "log") return store(value, name, parse_file_path(value.text), out.log);
  if (name == "ca_dir") return store(value, name, parse_file_path(value.text), out.ca_dir);
  if (name == "origin_ca") return store(value, name, parse_file_path(value.text), out.origin_ca);
  if (name == "body_limit_kb") {
    return store(value, name, parse_count(value.text, 0, kMostBodyLimitKb), out.body_limit_kb);
  }
  if (name == "capture_websocket") {
    return store(value, name, parse_switch(value.text), out.captures_websocket);
  }
  if (name == "syslog") return store(value, name, parse_syslog(value.text), out.syslog);
  if (name == "audit_socket") {
    return store(value, name, parse_socket_path(value.text), out.audit_socket);
  }
  if (name == "log_max_mb") {
    return store(value, name, parse_count(value.text, 0, kMostLogMb), out.log_max_mb);
  }
  if (name == "log_keep") {
    return store(value, name, parse_count(value.text, 0, kMostLogKeep), out.log_keep);
  }
  if (name == "workers") {
    return store(value, name, parse_count(value.text, 1, kMostWorkers), out.workers);
  }
  return store(value, name, parse_identity_host(value.text), out.identity_host);
}

std::string duration_text(std::chrono::milliseconds time) {
  if (time.count() % 60'000 == 0) return std::to_string(time.count() / 60'000) + "min";
  if (time.count() % 1'000 == 0) return std::to_string(time.count() / 1'000) + "s";
  return std::to_string(time.count()) + "ms";
}

}  // namespace

base::Result<void> apply_settings_text(std::string_view text, Settings& settings) {
  const auto root = parse_yaml(text, {}, 10'000);
  if (!root) return refuse(root.error().line, root.error().text);
  if (root->is_null()) return {};
  if (!root->is_map()) return refuse(root->line, "the file must be a mapping");
  for (std::size_t i = 0; i + 1 < root->items.size(); i += 2) {
    if (auto done = apply_key(root->items[i], root->items[i + 1], settings); !done) return done;
  }
  return {};
}

base::Result<void> apply_settings_file(const std::string& dir, Settings& settings) {
  const FileText file = read_guarded(dir, kFile, Confine::kNo, kMostBytes);
  if (file.state == FileText::State::kMissing) return {};
  if (file.state == FileText::State::kUnusable) return refuse(0, file.error);
  return apply_settings_text(file.text, settings);
}

std::vector<LimitText> limit_defaults() {
  const Limits defaults;
  std::vector<LimitText> out;
  for (const CountLimit& limit : kCounts) {
    out.push_back({limit.key, std::to_string(defaults.*limit.member)});
  }
  for (const TimeLimit& limit : kTimes) {
    out.push_back({limit.key, duration_text(defaults.*limit.member)});
  }
  return out;
}

}  // namespace leash::config
