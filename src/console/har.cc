#include "console/har.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "audit/line_view.h"
#include "base/text.h"
#include "console/http_message.h"
#include "console/json.h"
#include "console/row.h"

namespace leash::console {
namespace {

// The strings of a JSON text, as they stand in it.
std::vector<std::string_view> strings_of(std::string_view json) {
  std::vector<std::string_view> out;
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] != '"') continue;
    const std::size_t start = i++;
    while (i < json.size() && json[i] != '"') i += json[i] == '\\' ? 2 : 1;
    if (i < json.size()) out.push_back(json.substr(start, i + 1 - start));
  }
  return out;
}

// [["Name", "value"], ...]; gives the value of Content-Type.
std::string write_headers(JsonWriter& json, std::string_view raw) {
  std::string type;
  json.key("headers").begin_array();
  const auto strings = strings_of(raw);
  for (std::size_t i = 0; i + 1 < strings.size(); i += 2) {
    const std::string name = audit::unescape(strings[i]).value_or(std::string());
    const std::string value = audit::unescape(strings[i + 1]).value_or(std::string());
    json.begin_object().key("name").text(name).key("value").text(value).end_object();
    if (base::equals_ignoring_case(name, "content-type")) type = value;
  }
  json.end_array();
  return type;
}

void write_request(JsonWriter& json, const audit::LineView& line, const Row& row) {
  json.key("request").begin_object().key("method").text(row.method).key("url").text(row.url);
  json.key("httpVersion").text("").key("cookies").begin_array().end_array();
  const std::string type = write_headers(json, line.raw("req_headers"));
  json.key("queryString").begin_array();
  if (const auto mark = row.url.find('?'); mark != std::string::npos) {
    const std::string_view query = std::string_view(row.url).substr(mark + 1);
    for (const auto& [name, value] : parse_query(query.substr(0, query.find('#')))) {
      json.begin_object().key("name").text(name).key("value").text(value).end_object();
    }
  }
  json.end_array();
  if (const auto body = line.text("req_body")) {
    json.key("postData").begin_object().key("mimeType").text(type).key("text").text(*body);
    json.end_object();
  }
  json.key("headersSize").number(std::int64_t{-1}).key("bodySize");
  row.bytes_up ? json.number(*row.bytes_up) : json.number(std::int64_t{-1});
  json.end_object();
}

void write_response(JsonWriter& json, const audit::LineView& line, const Row& row) {
  json.key("response").begin_object().key("status").number(std::uint64_t{row.status});
  json.key("statusText").text(row.kind == EventKind::kAllowed ? "" : row.reason);
  json.key("httpVersion").text("").key("cookies").begin_array().end_array();
  const std::string type = write_headers(json, line.raw("res_headers"));
  json.key("content").begin_object().key("size").number(row.down()).key("mimeType").text(type);
  if (const auto body = line.text("res_body")) json.key("text").text(*body);
  json.end_object().key("redirectURL").text("");
  json.key("headersSize").number(std::int64_t{-1}).key("bodySize").number(row.down());
  json.end_object();
}

}  // namespace

std::string har_head() {
  return R"({"log":{"version":"1.2","creator":{"name":"leash-console","version":")" LEASH_VERSION
         R"("},"entries":[)";
}

std::string har_entry(std::string_view text) {
  const auto line = audit::LineView::parse(text);
  std::uint64_t seq = 0;
  const auto row = read_row(text, seq);
  const bool is_request = line && row && !row->url.empty() &&
                          (row->kind == EventKind::kAllowed || row->kind == EventKind::kBlocked ||
                           row->kind == EventKind::kError);
  if (!is_request) return {};
  const double ms = std::max(0.0, row->ms.value_or(0));
  JsonWriter json;
  json.begin_object().key("startedDateTime");
  json.text(time_text(row->time_us - std::llround(std::min(ms, 1e12) * 1'000)));
  json.key("time").real(ms);
  write_request(json, *line, *row);
  write_response(json, *line, *row);
  json.key("cache").begin_object().end_object();
  json.key("timings").begin_object().key("send").real(0).key("wait").real(ms);
  json.key("receive").real(0).end_object();
  if (!row->addr.empty()) {
    json.key("serverIPAddress").text(row->addr.substr(0, row->addr.rfind(':')));
  }
  json.key("comment").text(std::string(row->event_word()) + " " + row->id).end_object();
  return json.take();
}

std::string har_tail() { return "]}}\n"; }

}  // namespace leash::console
