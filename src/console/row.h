// One line of the audit log as the console lists it: no headers, no bodies.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "console/event_kind.h"
#include "console/json.h"

namespace leash::console {

struct Row {
  std::uint64_t seq = 0;  // grows from row to row; the log's own where it has one
  std::int64_t time_us = 0;
  EventKind kind = EventKind::kOther;
  std::uint8_t flags = 0;  // RowFlag
  std::uint16_t status = 0;
  std::uint16_t port = 0;
  std::string event;  // of kOther
  std::string id;
  std::string client;
  std::string agent;
  std::string host;
  std::string method;
  std::string url;
  std::string reason;  // of an event without host: its fields, "files=mode ..."
  std::string rule;
  std::string addr;
  std::string from;  // mode_change
  std::string to;
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> bytes_up;
  std::optional<std::uint64_t> bytes_down;
  std::optional<std::uint64_t> requests;  // of a tunnel
  std::optional<double> ms;

  [[nodiscard]] bool has(RowFlag flag) const { return (flags & flag) != 0; }
  [[nodiscard]] std::string_view event_word() const {
    return kind == EventKind::kOther ? std::string_view(event) : word(kind);
  }
  // Bytes that count in sums: of outcomes, and of tunnels that nothing else tells of.
  [[nodiscard]] bool counts_bytes() const {
    return kind == EventKind::kAllowed || kind == EventKind::kBlocked ||
           kind == EventKind::kError || (kind == EventKind::kTunnelClosed && has(kSpliced));
  }
  [[nodiscard]] std::uint64_t up() const { return bytes_up.value_or(0); }
  [[nodiscard]] std::uint64_t down() const { return bytes_down ? *bytes_down : bytes.value_or(0); }
};

// nullopt where the line is no JSON object with an event. `log_seq` gets the line's own seq, 0
// without one; the row's is the caller's to give.
[[nodiscard]] std::optional<Row> read_row(std::string_view line, std::uint64_t& log_seq);

void write_row(JsonWriter& json, const Row& row);
// The members of the object that write_row writes.
void write_row_members(JsonWriter& json, const Row& row);

// "2026-01-31T12:00:00.123Z"
[[nodiscard]] std::string time_text(std::int64_t time_us);

// The original's "internet only" leaves these out: addresses that are not public, and the names of
// home and office networks.
[[nodiscard]] bool is_local_place(std::string_view host);

}  // namespace leash::console
