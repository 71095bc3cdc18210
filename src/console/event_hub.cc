#include "console/event_hub.h"

#include <algorithm>

#include "console/json.h"

namespace leash::console {

std::string sse_event(std::string_view event, std::string_view data, std::uint64_t id) {
  std::string out;
  if (id > 0) out += "id: " + std::to_string(id) + "\n";
  out.append("event: ").append(event).append("\ndata: ").append(data).append("\n\n");
  return out;
}

std::shared_ptr<EventHub::Watch> EventHub::add(std::shared_ptr<EventStream> stream, Request request,
                                               RowFilter filter, bool waits) {
  if (is_full()) return nullptr;
  auto watch = std::make_shared<Watch>(std::move(stream), std::move(request), std::move(filter));
  watch->is_waiting_ = waits;
  watches_.push_back(watch);
  // The first bytes tell the browser at once that it is connected.
  watch->stream_->send(": leash\n\n");
  if (!state_.empty()) watch->stream_->send(sse_event("state", state_));
  return watch;
}

void EventHub::send_row(Watch& watch, const Row& row) {
  JsonWriter json;
  write_row(json, row);
  watch.stream_->send(sse_event("row", json.take(), row.seq));
}

bool EventHub::make_good(Watch& watch) {
  if (watch.lost_from_ == 0) return watch.stream_->pending_bytes() < kMostPendingBytes;
  if (watch.stream_->pending_bytes() > kResumeBytes) return false;
  JsonWriter json;
  json.begin_object().key("from_seq").number(watch.lost_from_);
  json.key("to_seq").number(watch.lost_to_).end_object();
  watch.stream_->send(sse_event("gap", json.take(), watch.lost_to_));
  watch.lost_from_ = 0;
  return true;
}

void EventHub::offer(Watch& watch, const Row& row) {
  if (row.seq <= watch.last_seq_) return;
  watch.last_seq_ = row.seq;
  if (!watch.filter_.takes(row)) return;
  if (make_good(watch)) {
    send_row(watch, row);
    return;
  }
  if (watch.lost_from_ == 0) watch.lost_from_ = row.seq;
  watch.lost_to_ = row.seq;
}

void EventHub::on_rows(const std::vector<Row>& rows) {
  drop_closed();
  for (const auto& watch : watches_) {
    for (const Row& row : rows) {
      if (!watch->is_waiting_) {
        offer(*watch, row);
        continue;
      }
      if (!watch->filter_.takes(row)) continue;
      watch->held_.push_back(row);
      if (watch->held_.size() <= kMostHeldRows) continue;
      const std::uint64_t seq = watch->held_.front().seq;
      if (watch->lost_from_ == 0) watch->lost_from_ = seq;
      watch->lost_to_ = seq;
      watch->held_.pop_front();
    }
  }
}

void EventHub::catch_up(Watch& watch, const std::vector<Row>& rows, std::uint64_t lost_from) {
  if (lost_from > 0 && !rows.empty()) {
    watch.lost_from_ = lost_from;
    watch.lost_to_ = rows.front().seq - 1;
  }
  watch.is_waiting_ = false;
  for (const Row& row : rows) offer(watch, row);
  for (const Row& row : std::exchange(watch.held_, {})) offer(watch, row);
}

void EventHub::set_state(std::string state) {
  if (state == state_) return;
  state_ = std::move(state);
  drop_closed();
  for (const auto& watch : watches_) watch->stream_->send(sse_event("state", state_));
}

void EventHub::tick(std::chrono::steady_clock::time_point now,
                    const std::function<bool(const Request&)>& may_stay) {
  drop_closed();
  const bool beats = now - heartbeat_ >= kHeartbeat;
  if (beats) heartbeat_ = now;
  for (const auto& watch : watches_) {
    if (!may_stay(watch->request_)) {
      watch->stream_->close();
      continue;
    }
    if (watch->lost_from_ > 0) make_good(*watch);
    // Not onto a heap that nobody fetches.
    if (beats && watch->stream_->pending_bytes() < kMostPendingBytes) {
      watch->stream_->send(": \n\n");
    }
  }
}

void EventHub::close() {
  for (const auto& watch : watches_) watch->stream_->close();
  watches_.clear();
}

void EventHub::drop_closed() {
  std::erase_if(watches_, [](const auto& watch) { return !watch->stream_->is_open(); });
}

}  // namespace leash::console
