// The original's GET /api/logs, GET /api/meta and POST /api/logs/clear.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <mutex>

#include "audit/line_view.h"
#include "base/text.h"
#include "config/setting_values.h"
#include "console/api.h"
#include "console/backward_lines.h"
#include "insight/moment.h"

namespace leash::console {
namespace {

constexpr std::int64_t kRecords = 500;
constexpr std::int64_t kMostRecords = 2'000;
constexpr std::size_t kMostBytes = std::size_t{64} * 1024 * 1024;
constexpr std::chrono::seconds kSearchTime{10};
constexpr int kMostInOneSecond = 100;

struct LogQuery {
  std::string text;  // lower case
  std::string client;
  std::vector<std::string> excluded;
  bool only_internet = false;

  explicit LogQuery(const Request& request)
      : text(base::lower(base::trim(request.parameter("q").value_or("")))),
        client(base::lower(request.parameter("client").value_or(""))),
        only_internet(request.parameter("internet_only") == "1") {
    excluded = config::split_words(base::lower(request.parameter("exclude_hosts").value_or("")));
  }

  // The original's order: excluded hosts, places, client, text.
  [[nodiscard]] bool takes(const audit::LineView& line) const {
    const std::string host = base::lower(line.text("host").value_or(""));
    if (!host.empty() && std::find(excluded.begin(), excluded.end(), host) != excluded.end()) {
      return false;
    }
    if (only_internet && is_local_place(host)) return false;
    if (!client.empty() &&
        base::lower(line.text("client").value_or("")).find(client) == std::string::npos) {
      return false;
    }
    return text.empty() || holds_text(line);
  }

 private:
  // In any value, headers and bodies too.
  [[nodiscard]] bool holds_text(const audit::LineView& line) const {
    return std::any_of(line.fields().begin(), line.fields().end(), [this](const auto& field) {
      const auto value = audit::unescape(field.second);
      return base::lower(value ? std::string_view(*value) : field.second).find(text) !=
             std::string::npos;
    });
  }
};

// A negative limit is none, as in the original.
std::optional<std::int64_t> read_limit(const Request& request) {
  const auto text = request.parameter("limit");
  if (!text || text->empty()) return kRecords;
  std::int64_t limit = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return std::clamp<std::int64_t>(limit, 0, kMostRecords);
}

Reply logs(Parts& parts, const Call& call) {
  const auto limit = read_limit(call.request);
  if (!limit) return error_reply(400, "limit: not a number");
  const LogQuery query(call.request);
  const auto deadline = std::chrono::steady_clock::now() + kSearchTime;
  bool is_late = false;
  std::int64_t left = *limit;
  JsonWriter json;
  json.begin_array();
  const auto done =
      left == 0 ? base::Result<void>()
                : read_backwards(parts.settings.leash.log, [&](std::string_view text) {
                    if (std::chrono::steady_clock::now() >= deadline) is_late = true;
                    if (is_late || json.size() > kMostBytes) return false;
                    const auto line = audit::LineView::parse(text);
                    if (!line || line->raw("event") == "\"connect_allowed\"" || !query.takes(*line))
                      return true;
                    json.raw(text);
                    return --left > 0;
                  });
  if (!done) return error_reply(done.error());
  if (is_late) return error_reply(503, "the search took too long: use /api/events");
  json.end_array();
  return json_reply(json.take());
}

Reply meta(Parts& parts) {
  struct stat info {};
  const bool is_there = ::stat(parts.settings.leash.log.c_str(), &info) == 0;
  const double megabytes = is_there ? static_cast<double>(info.st_size) / (1024 * 1024) : 0;
  const IndexCounts counts = parts.indexer.status().counts;
  const std::uint64_t lines = counts.lines + counts.skipped - counts.connects;
  const std::uint64_t cleared = parts.history.cleared().lines;
  JsonWriter json;
  json.begin_object().key("size_mb").real(std::round(megabytes * 1'000) / 1'000);
  json.key("total_lines").number(lines - std::min(lines, cleared));
  json.key("body_limit_kb").number(std::uint64_t{parts.settings.leash.body_limit_kb}).end_object();
  return json_reply(json.take());
}

// rename, but never over a file. 0, or errno.
int move_to_free_name(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // A file system without RENAME_NOREPLACE (NFS): nobody but this console makes such names, and it
  // clears one at a time.
  struct stat info {};
  if (::lstat(to.c_str(), &info) == 0) return EEXIST;
  return std::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

// Under a name of its own in the same second too. 0, or errno.
int put_aside(const std::string& log, const std::string& name) {
  int error = move_to_free_name(log, name);
  for (int i = 1; error == EEXIST && i <= kMostInOneSecond; ++i) {
    error = move_to_free_name(log, name + "-" + std::to_string(i));
  }
  return error;
}

// The original cut the log to nothing. Here it is put aside under a name that rotation would have
// given it, and what is in it leaves the console's lists; nothing is lost, and the chain goes on.
Reply clear(Parts& parts, std::mutex& one_at_a_time) {
  const std::lock_guard lock(one_at_a_time);
  const std::string& log = parts.settings.leash.log;
  struct stat info {};
  if (::stat(log.c_str(), &info) == 0 && info.st_size > 0) {
    std::string stamp = insight::second_text(std::chrono::system_clock::now());
    std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
    const int error = put_aside(log, log + "-" + stamp);
    // Gone: somebody else has cleared or rotated it in this moment.
    if (error != 0 && error != ENOENT) {
      return error_reply(500, log + ": " + base::errno_text(error));
    }
  }
  const IndexCounts counts = parts.indexer.status().counts;
  const ClearedLog cleared{counts.newest, counts.lines + counts.skipped - counts.connects};
  parts.history.set_cleared(cleared);
  parts.readers.set_floor(cleared.seq);
  JsonWriter json;
  json.begin_object().key("ok").boolean(true).end_object();
  return json_reply(json.take());
}

}  // namespace

void add_log_routes(Router& router, Parts& parts) {
  router.add({"GET",
              "/api/logs",
              {},
              "lines of the live log, the newest first",
              {{"q", "part of any value, headers and bodies too"},
               {"client", "part of the client's address"},
               {"limit", "lines; 500, at most 2000"},
               {"internet_only", "1: no places of the local network"},
               {"exclude_hosts", "not these hosts; a list with commas"}},
              nullptr,
              R"({"type":"array","items":{"type":"object"}})",
              [&parts](const Call& call) { return logs(parts, call); }});
  router.add({"GET",
              "/api/meta",
              {},
              "size of the live log, and lines",
              {},
              nullptr,
              R"({"type":"object","required":["size_mb","total_lines","body_limit_kb"]})",
              [&parts](const Call&) { return meta(parts); }});
  router.add({"POST",
              "/api/logs/clear",
              {Role::kOperator, true},
              "put the log aside and begin an empty one",
              {},
              nullptr,
              R"({"type":"object","required":["ok"],"properties":{"ok":{"type":"boolean"}}})",
              [&parts, one_at_a_time = std::make_shared<std::mutex>()](const Call&) {
                return clear(parts, *one_at_a_time);
              }});
}

}  // namespace leash::console
