// GET /api/stream: rows to whoever watches, as they come.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "console/http_server.h"
#include "console/row.h"
#include "console/row_filter.h"

namespace leash::console {

// The loop's thread only. A reader that does not keep up loses rows, is told which, and costs a
// bounded amount of memory.
class EventHub {
 public:
  static constexpr std::size_t kMostStreams = 64;
  static constexpr std::size_t kMostPendingBytes = std::size_t{512} * 1024;
  static constexpr std::size_t kResumeBytes = std::size_t{64} * 1024;
  static constexpr std::size_t kMostHeldRows = 2'000;  // while older rows are looked up
  static constexpr std::chrono::seconds kHeartbeat{15};

  // One client's watch.
  class Watch {
   public:
    Watch(std::shared_ptr<EventStream> stream, Request request, RowFilter filter)
        : stream_(std::move(stream)), request_(std::move(request)), filter_(std::move(filter)) {}
    [[nodiscard]] const Request& request() const { return request_; }
    [[nodiscard]] const RowFilter& filter() const { return filter_; }

   private:
    friend class EventHub;
    std::shared_ptr<EventStream> stream_;
    Request request_;
    RowFilter filter_;
    bool is_waiting_ = false;      // for older rows
    std::deque<Row> held_;         // that came meanwhile
    std::uint64_t last_seq_ = 0;   // sent, or passed over
    std::uint64_t lost_from_ = 0;  // 0: nothing is lost
    std::uint64_t lost_to_ = 0;
  };

  // Null where there are too many. With `waits` nothing is sent until catch_up().
  [[nodiscard]] std::shared_ptr<Watch> add(std::shared_ptr<EventStream> stream, Request request,
                                           RowFilter filter, bool waits);
  [[nodiscard]] bool is_full() const { return watches_.size() >= kMostStreams; }
  // What the client has missed, the oldest first; `lost_from` where there was more, up to the
  // first.
  void catch_up(Watch& watch, const std::vector<Row>& rows, std::uint64_t lost_from);
  void on_rows(const std::vector<Row>& rows);
  // `state`: JSON. Sent to all, and to each new one.
  void set_state(std::string state);
  // Each second. `may_stay`: whether a client is still let in.
  void tick(std::chrono::steady_clock::time_point now,
            const std::function<bool(const Request&)>& may_stay);
  void close();

 private:
  void offer(Watch& watch, const Row& row);
  static void send_row(Watch& watch, const Row& row);
  // True: rows may be sent.
  static bool make_good(Watch& watch);
  void drop_closed();

  std::vector<std::shared_ptr<Watch>> watches_;
  std::string state_;
  std::chrono::steady_clock::time_point heartbeat_;
};

// One event of a stream. `data` has no line break: JSON has none.
[[nodiscard]] std::string sse_event(std::string_view event, std::string_view data,
                                    std::uint64_t id = 0);

}  // namespace leash::console
