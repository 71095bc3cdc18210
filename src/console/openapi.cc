#include <cctype>
#include <map>
#include <string>

#include "console/json.h"
#include "console/router.h"

namespace leash::console {
namespace {

void write_parameters(JsonWriter& json, const Route& route) {
  const std::string_view path = route.path;
  const auto open = path.find('{');
  if (route.parameters.empty() && open == std::string_view::npos) return;
  json.key("parameters").begin_array();
  if (open != std::string_view::npos) {
    const std::string_view name = path.substr(open + 1, path.size() - open - 2);
    json.begin_object().key("name").text(name).key("in").text("path");
    json.key("required").boolean(true).key("schema").raw(R"({"type":"string"})").end_object();
  }
  for (const Parameter& parameter : route.parameters) {
    json.begin_object().key("name").text(parameter.name).key("in").text("query");
    json.key("description").text(parameter.text);
    json.key("schema").raw(R"({"type":"string"})").end_object();
  }
  json.end_array();
}

void write_error(JsonWriter& json, const char* status, const char* text) {
  json.key(status).begin_object().key("description").text(text);
  json.key("content").begin_object().key("application/json").begin_object();
  json.key("schema").raw(R"({"$ref":"#/components/schemas/Error"})");
  json.end_object().end_object().end_object();
}

// "getApiEvents"
std::string operation_id(const Route& route) {
  std::string out;
  for (const char* c = route.method; *c != '\0'; ++c) {
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(*c)));
  }
  bool is_start = true;
  for (const char* c = route.path; *c != '\0'; ++c) {
    if (std::isalnum(static_cast<unsigned char>(*c)) == 0) {
      is_start = true;
    } else {
      out += is_start ? static_cast<char>(std::toupper(static_cast<unsigned char>(*c))) : *c;
      is_start = false;
    }
  }
  return out;
}

void write_operation(JsonWriter& json, const Route& route) {
  std::string method;
  for (const char* c = route.method; *c != '\0'; ++c) {
    method += static_cast<char>(std::tolower(static_cast<unsigned char>(*c)));
  }
  json.key(method).begin_object();
  json.key("operationId").text(operation_id(route)).key("summary").text(route.summary);
  json.key("x-role").text(insight::word(route.need.role));
  if (!route.handle) json.key("security").raw("[]");
  write_parameters(json, route);
  if (route.body != nullptr) {
    json.key("requestBody").begin_object().key("required").boolean(true);
    json.key("content").begin_object().key("application/json").begin_object();
    json.key("schema").raw(route.body).end_object().end_object().end_object();
  }
  json.key("responses").begin_object().key("200").begin_object();
  json.key("description").text("as asked for");
  if (route.answer != nullptr) {
    json.key("content").begin_object().key("application/json").begin_object();
    json.key("schema").raw(route.answer).end_object().end_object();
  }
  json.end_object();
  write_error(json, "401", "nobody has signed in");
  write_error(json, "403", "an agent's address, another site's page, or the wrong role");
  if (route.body != nullptr) write_error(json, "413", "the body is too long");
  write_error(json, "421", "the console does not go by the name in Host");
  json.end_object().end_object();
}

constexpr const char* kComponents = R"json({
"securitySchemes":{
 "token":{"type":"http","scheme":"bearer","description":"what 'leashctl console token' prints"},
 "session":{"type":"apiKey","in":"cookie","name":"leash_session",
  "description":"set by POST /api/session; changes need X-CSRF-Token and Origin besides"}},
"schemas":{
 "Error":{"type":"object","required":["error"],"properties":{"error":{"type":"string"},"retry_after":{"type":"integer"}}},
 "Row":{"type":"object","required":["seq","ts","event"],"properties":{
  "seq":{"type":"integer"},"id":{"type":"string"},"ts":{"type":"string","format":"date-time"},"event":{"type":"string"},
  "client":{"type":"string"},"agent":{"type":"string"},"method":{"type":"string"},"url":{"type":"string"},
  "host":{"type":"string"},"port":{"type":"integer"},"status":{"type":"integer"},"bytes":{"type":"integer"},
  "bytes_up":{"type":"integer"},"bytes_down":{"type":"integer"},"ms":{"type":"number"},"reason":{"type":"string"},
  "error":{"type":"string"},"rule":{"type":"string"},"mode":{"type":"string"},"from":{"type":"string"},
  "to":{"type":"string"},"would_block":{"type":"boolean"},"tags":{"type":"array","items":{"type":"string"}},
  "count":{"type":"integer"}}},
 "IndexState":{"type":"object","required":["lines","bytes_done","bytes_total","state","skipped"],"properties":{
  "lines":{"type":"integer"},"bytes_done":{"type":"integer"},"bytes_total":{"type":"integer"},
  "state":{"enum":["ready","building"]},"skipped":{"type":"integer"},"error":{"type":"string"}}},
 "Entry":{"type":"object","required":["host","ports"],"properties":{"host":{"type":"string"},
  "ports":{"type":"array","items":{"type":"integer"}},"paths":{"type":"array","items":{"type":"object",
  "required":["method","prefix"],"properties":{"method":{"type":"string"},"prefix":{"type":"string"}}}},
  "reason":{"type":"string"},"expires":{"type":"string"},"tls":{"type":"string"},
  "networks":{"type":"array","items":{"type":"string"}}}},
 "Finding":{"type":"object","required":["file","line","message"],"properties":{"file":{"type":"string"},
  "line":{"type":"integer"},"message":{"type":"string"},"severity":{"enum":["error","warning"]}}},
 "Policy":{"type":"object","required":["mode","enforce","blocklist"],"properties":{
  "mode":{"enum":["enforce","audit","blocklist"]},
  "enforce":{"type":"array","items":{"$ref":"#/components/schemas/Entry"}},
  "blocklist":{"type":"array","items":{"$ref":"#/components/schemas/Entry"}},
  "files":{"type":"object","additionalProperties":{"type":"object","properties":{"text":{"type":"string"},"etag":{"type":"string"}}}},
  "findings":{"type":"array","items":{"$ref":"#/components/schemas/Finding"}}}},
 "Change":{"type":"object","required":["list","action","host"],"properties":{
  "list":{"enum":["enforce","blocklist"]},"action":{"enum":["add","remove"]},"scope":{"enum":["host","path"]},
  "host":{"type":"string"},"port":{"type":"integer"},"method":{"type":"string"},"prefix":{"type":"string"},
  "reason":{"type":"string"},"expires":{"type":"string"}}},
 "Changed":{"type":"object","required":["ok"],"properties":{"ok":{"type":"boolean"},"error":{"type":"string"},
  "policy":{"$ref":"#/components/schemas/Policy"}}},
 "Session":{"type":"object","required":["role","auth","csrf","version"],"properties":{
  "role":{"type":["string","null"]},"auth":{"enum":["token","off"]},"csrf":{"type":["string","null"]},
  "version":{"type":"string"}}}}})json";

}  // namespace

std::string openapi_json(const Router& router) {
  std::map<std::string, std::vector<const Route*>> by_path;
  for (const Route& route : router.routes()) by_path[route.path].push_back(&route);
  JsonWriter json;
  json.begin_object().key("openapi").text("3.1.0");
  json.key("info").begin_object().key("title").text("leash console");
  json.key("version").text(LEASH_VERSION).end_object();
  json.key("security").raw(R"([{"token":[]},{"session":[]}])");
  json.key("paths").begin_object();
  for (const auto& [path, routes] : by_path) {
    json.key(path).begin_object();
    for (const Route* route : routes) write_operation(json, *route);
    json.end_object();
  }
  json.end_object();
  std::string components = kComponents;
  std::erase(components, '\n');
  json.key("components").raw(components).end_object();
  return json.take();
}

}  // namespace leash::console
