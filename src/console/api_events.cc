// GET /api/events, /api/stats, /api/event/{id}.
#include <algorithm>

#include "audit/line_view.h"
#include "base/text.h"
#include "console/api.h"
#include "console/bad_request.h"
#include "console/line_fetcher.h"

namespace leash::console {
namespace {

constexpr std::size_t kPage = 200;
constexpr std::size_t kMostPage = 1'000;
constexpr std::size_t kMostLines = 1'000;
constexpr std::size_t kMostLineBytes = std::size_t{64} * 1024 * 1024;
constexpr std::chrono::seconds kFetchTime{30};

// A cursor is the seq of the last row that was given.
base::Result<std::optional<std::uint64_t>> read_cursor(const Request& request) {
  const auto text = request.parameter("cursor");
  if (!text || text->empty()) return std::optional<std::uint64_t>();
  const auto seq = base::parse_decimal(*text);
  if (!seq) {
    return bad_request("cursor: not one of ours");
  }
  return std::optional(*seq);
}

Reply events(Parts& parts, const Call& call) {
  const auto filter = RowFilter::parse(call.request);
  if (!filter) return error_reply(filter.error());
  const auto cursor = read_cursor(call.request);
  if (!cursor) return error_reply(cursor.error());
  const auto limit = read_count(call.request, "limit", kPage, kMostPage);
  if (!limit) return error_reply(limit.error());
  const IndexStatus status = parts.indexer.status();
  JsonWriter json;
  json.begin_object().key("events").begin_array();
  std::optional<std::uint64_t> next;
  std::uint64_t newest = status.counts.newest;
  if (status.generation > 0) {
    const auto page = parts.readers.ask(
        [&](IndexReader& reader) { return reader.page(*filter, *cursor, *limit); });
    if (!page) return error_reply(page.error());
    for (const Row& row : page->rows) write_row(json, row);
    if (!page->rows.empty()) newest = std::max(newest, page->rows.front().seq);
    next = page->next;
  }
  json.end_array().key("next");
  next ? json.text(std::to_string(*next)) : json.null();
  json.key("newest").number(newest).key("index");
  write_index_state(json, status);
  json.end_object();
  return json_reply(json.take());
}

void write_series(JsonWriter& json, const Stats& stats) {
  json.key("series").begin_object().key("t").begin_array();
  for (std::size_t i = 0; i < stats.series.size(); ++i) {
    json.number(stats.from + static_cast<std::int64_t>(i) * stats.bucket_seconds);
  }
  json.end_array();
  const auto column = [&](const char* name, std::uint64_t Stats::Bucket::*member) {
    json.key(name).begin_array();
    for (const Stats::Bucket& bucket : stats.series) json.number(bucket.*member);
    json.end_array();
  };
  column("allowed", &Stats::Bucket::allowed);
  column("would_block", &Stats::Bucket::would_block);
  column("blocked", &Stats::Bucket::blocked);
  column("error", &Stats::Bucket::error);
  json.end_object();
}

void write_parties(JsonWriter& json, const Stats& stats) {
  json.key("hosts").begin_array();
  for (const PartyTotal& host : stats.hosts) {
    json.begin_object().key("host").text(host.name).key("count").number(host.count);
    json.key("blocked").number(host.blocked).key("bytes").number(host.bytes).end_object();
  }
  json.end_array().key("agents").begin_array();
  const auto text_or_null = [&json](const std::string& text) {
    text.empty() ? json.null() : json.text(text);
  };
  for (const PartyTotal& agent : stats.agents) {
    json.begin_object().key("agent");
    text_or_null(agent.name);
    json.key("client");
    text_or_null(agent.client);
    json.key("count").number(agent.count).key("blocked").number(agent.blocked);
    json.key("bytes").number(agent.bytes).end_object();
  }
  json.end_array();
}

Reply stats(Parts& parts, const Call& call) {
  const auto filter = RowFilter::parse(call.request);
  if (!filter) return error_reply(filter.error());
  const auto buckets = read_count(call.request, "buckets", 120, 1'000);
  if (!buckets) return error_reply(buckets.error());
  Stats sums;
  if (parts.indexer.status().generation > 0) {
    auto found = parts.readers.ask([&](IndexReader& reader) {
      return reader.stats(*filter, std::max<std::size_t>(*buckets, 1));
    });
    if (!found) return error_reply(found.error());
    sums = std::move(*found);
  }
  JsonWriter json;
  json.begin_object().key("from").text(time_text(sums.from * 1'000'000));
  json.key("to").text(time_text(sums.to * 1'000'000));
  json.key("bucket_seconds").number(sums.bucket_seconds);
  write_series(json, sums);
  json.key("totals").begin_object().key("allowed").number(sums.totals.allowed);
  json.key("would_block").number(sums.totals.would_block);
  json.key("blocked").number(sums.totals.blocked).key("error").number(sums.totals.error);
  json.key("bytes_up").number(sums.bytes_up).key("bytes_down").number(sums.bytes_down);
  json.end_object();
  write_parties(json, sums);
  json.end_object();
  return json_reply(json.take());
}

// What a request came to: its last line that is more than an intent.
const Row& summary_of(const std::vector<LinePlace>& lines) {
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const EventKind kind = line->row.kind;
    if (kind == EventKind::kAllowed || kind == EventKind::kBlocked || kind == EventKind::kError) {
      return line->row;
    }
  }
  return lines.back().row;
}

Reply event(Parts& parts, const Call& call) {
  auto lines = parts.readers.ask(
      [&](IndexReader& reader) { return reader.lines_of(call.rest, kMostLines); });
  if (!lines) return error_reply(lines.error());
  if (lines->empty()) return error_reply(404, "there is no event with this id");
  JsonWriter json;
  json.begin_object().key("id").text(call.rest).key("lines").begin_array();
  LineFetcher fetcher(std::chrono::steady_clock::now() + kFetchTime);
  bool is_cut = false;
  for (const LinePlace& place : *lines) {
    const auto line = fetcher.fetch(place.path, place.position);
    if (!line) return error_reply(line.error());
    // The file under this name may be another by now.
    const auto view = audit::LineView::parse(*line);
    if (!view || view->text("id") != call.rest) continue;
    is_cut = is_cut || json.size() + line->size() > kMostLineBytes;
    if (!is_cut) json.raw(*line);
  }
  json.end_array().key("summary");
  write_row(json, summary_of(*lines));
  if (is_cut) json.key("truncated").boolean(true);
  json.end_object();
  return json_reply(json.take());
}

constexpr const char* kEventsAnswer =
    R"({"type":"object","required":["events","next","newest","index"],"properties":{"events":{"type":"array","items":{"$ref":"#/components/schemas/Row"}},"next":{"type":["string","null"]},"newest":{"type":"integer"},"index":{"$ref":"#/components/schemas/IndexState"}}})";
constexpr const char* kStatsAnswer =
    R"({"type":"object","required":["from","to","bucket_seconds","series","totals","hosts","agents"],"properties":{"from":{"type":"string"},"to":{"type":"string"},"bucket_seconds":{"type":"integer"},"series":{"type":"object","required":["t","allowed","would_block","blocked","error"]},"totals":{"type":"object","required":["allowed","would_block","blocked","error","bytes_up","bytes_down"]},"hosts":{"type":"array"},"agents":{"type":"array"}}})";
constexpr const char* kEventAnswer =
    R"({"type":"object","required":["id","lines","summary"],"properties":{"id":{"type":"string"},"lines":{"type":"array","items":{"type":"object"}},"summary":{"$ref":"#/components/schemas/Row"}}})";

}  // namespace

void add_event_routes(Router& router, Parts& parts) {
  std::vector<Parameter> parameters = filter_parameters();
  std::vector<Parameter> sums = parameters;
  parameters.push_back({"limit", "rows; 200, at most 1000"});
  parameters.push_back({"cursor", "`next` of the page before"});
  sums.push_back({"buckets", "of the time; 120, at most 1000"});
  router.add({"GET",
              "/api/events",
              {},
              "rows of the log, the newest first",
              parameters,
              nullptr,
              kEventsAnswer,
              [&parts](const Call& call) { return events(parts, call); }});
  router.add({"GET",
              "/api/stats",
              {},
              "sums over rows",
              sums,
              nullptr,
              kStatsAnswer,
              [&parts](const Call& call) { return stats(parts, call); }});
  router.add({"GET",
              "/api/event/{id}",
              {},
              "all lines of one request, with headers and bodies",
              {},
              nullptr,
              kEventAnswer,
              [&parts](const Call& call) { return event(parts, call); }});
}

}  // namespace leash::console
