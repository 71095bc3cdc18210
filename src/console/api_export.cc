// GET /api/export: everything that passes a filter, as a file.
#include <chrono>
#include <memory>
#include <utility>

#include "console/api.h"
#include "console/har.h"
#include "console/line_fetcher.h"
#include "insight/printable.h"

namespace leash::console {
namespace {

constexpr std::size_t kRowsAtOnce = 2'000;
constexpr std::size_t kPieceBytes = std::size_t{256} * 1024;
constexpr std::chrono::seconds kExportTime{60};

enum class Format { kNdjson, kCsv, kHar };

std::optional<Format> parse_format(std::string_view word) {
  if (word == "ndjson") return Format::kNdjson;
  if (word == "csv") return Format::kCsv;
  if (word == "har") return Format::kHar;
  return std::nullopt;
}

std::string number_cell(const std::optional<std::uint64_t>& number) {
  return number ? std::to_string(*number) : std::string();
}

std::string csv_row(const Row& row) {
  using insight::csv_cell;
  std::string out = csv_cell(time_text(row.time_us));
  const auto add = [&out](const std::string& cell) { out.append(",").append(cell); };
  add(csv_cell(row.event_word()));
  add(csv_cell(row.client));
  add(csv_cell(row.agent));
  add(csv_cell(row.method));
  add(csv_cell(row.url));
  add(csv_cell(row.host));
  add(row.port == 0 ? "" : std::to_string(row.port));
  add(row.has(kHasStatus) ? std::to_string(row.status) : "");
  add(number_cell(row.bytes_up));
  add(number_cell(row.bytes_down));
  add(csv_cell(row.reason));
  add(csv_cell(row.rule));
  add(row.has(kWouldBlock) ? "1" : "");
  add(csv_cell(row.id));
  add(std::to_string(row.seq));
  return out + "\r\n";
}

constexpr const char* kCsvHead =
    "time,event,client,agent,method,url,host,port,status,bytes_up,bytes_down,reason,rule,"
    "would_block,id,seq\r\n";

// Gives one piece after the other, the oldest row first: in a packed file one can only go forward.
class Export {
 public:
  Export(Parts& parts, RowFilter filter, Format format)
      : parts_(parts), filter_(std::move(filter)), format_(format) {}

  std::string next() {
    std::string piece;
    if (std::exchange(is_first_, false)) {
      if (format_ == Format::kCsv) piece = kCsvHead;
      if (format_ == Format::kHar) piece = har_head();
    }
    while (!is_done_ && piece.size() < kPieceBytes) {
      if (at_ == rows_.size() && !fill()) is_done_ = true;
      if (!is_done_) add(rows_[at_++], piece);
    }
    if (is_done_ && !std::exchange(is_ended_, true) && format_ == Format::kHar) piece += har_tail();
    return piece;
  }

 private:
  bool fill() {
    rows_.clear();
    at_ = 0;
    auto rows = parts_.readers.ask(
        [this](IndexReader& reader) { return reader.places(filter_, after_, kRowsAtOnce); });
    if (!rows || rows->empty()) return false;
    rows_ = std::move(*rows);
    after_ = rows_.back().row.seq;
    fetcher_.set_deadline(std::chrono::steady_clock::now() + kExportTime);
    return true;
  }

  void add(const LinePlace& place, std::string& piece) {
    if (format_ == Format::kCsv) {
      piece += csv_row(place.row);
      return;
    }
    const auto line = fetcher_.fetch(place.path, place.position);
    if (!line) return;  // the file has gone since
    if (format_ == Format::kNdjson) {
      piece += insight::ascii_json(*line) + "\n";
      return;
    }
    const std::string entry = har_entry(*line);
    if (entry.empty()) return;
    if (std::exchange(has_entry_, true)) piece += ',';
    piece += entry;
  }

  Parts& parts_;
  const RowFilter filter_;
  const Format format_;
  std::uint64_t after_ = 0;
  std::vector<LinePlace> rows_;
  std::size_t at_ = 0;
  LineFetcher fetcher_{std::chrono::steady_clock::time_point::max()};
  bool is_first_ = true;
  bool has_entry_ = false;
  bool is_done_ = false;
  bool is_ended_ = false;
};

Reply export_rows(Parts& parts, const Call& call) {
  const auto format = parse_format(call.request.parameter("format").value_or("ndjson"));
  if (!format) return error_reply(400, "format must be ndjson, csv or har");
  auto filter = RowFilter::parse(call.request);
  if (!filter) return error_reply(filter.error());
  const auto is_there = parts.readers.ask([](IndexReader&) { return base::Result<void>(); });
  if (!is_there) return error_reply(is_there.error());
  Reply reply;
  const char* name = "leash.ndjson";
  reply.type = "application/x-ndjson";
  if (*format == Format::kCsv) {
    name = "leash.csv";
    reply.type = "text/csv; charset=utf-8";
  } else if (*format == Format::kHar) {
    name = "leash.har";
    reply.type = "application/json";
  }
  reply.headers = {{"Content-Disposition", std::string("attachment; filename=\"") + name + "\""}};
  auto rows = std::make_shared<Export>(parts, std::move(*filter), *format);
  reply.pieces = [rows] { return rows->next(); };
  return reply;
}

}  // namespace

void add_export_routes(Router& router, Parts& parts) {
  std::vector<Parameter> parameters = filter_parameters();
  parameters.push_back({"format", "ndjson (lines of the log), csv, har (requests)"});
  router.add({"GET",
              "/api/export",
              {},
              "rows as a file, the oldest first",
              parameters,
              nullptr,
              nullptr,
              [&parts](const Call& call) { return export_rows(parts, call); }});
}

}  // namespace leash::console
