// Which rows somebody asks for: the parameters that /api/events, stats, stream and export share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/ip_address.h"
#include "console/http_message.h"
#include "console/row.h"

namespace leash::console {

struct RowFilter {
  std::optional<std::int64_t> after_us;         // from then on
  std::optional<std::int64_t> before_us;        // before then
  std::string text;                             // in search_form
  std::vector<std::string> hosts;               // each with what is below it; lower case
  std::vector<std::string> excluded_hosts;      // exactly these; lower case
  std::string client;                           // a part of it, lower case ...
  std::optional<base::Network> client_network;  // ... or a network
  std::string agent;
  EventMask events = kShownEvents;
  std::vector<std::pair<std::uint16_t, std::uint16_t>> statuses;  // from, to
  bool only_would_block = false;
  bool only_internet = false;

  // Errors: bad_config, with the parameter and what is wrong with it.
  [[nodiscard]] static base::Result<RowFilter> parse(const Request& request);

  // The conditions one by one, for whoever has the columns.
  [[nodiscard]] bool takes_host(std::string_view host) const;
  [[nodiscard]] bool takes_client(std::string_view client) const;
  [[nodiscard]] bool takes_status(std::uint16_t status, bool has_status) const;
  [[nodiscard]] bool takes_time(std::int64_t time_us) const {
    return (!after_us || time_us >= *after_us) && (!before_us || time_us < *before_us);
  }
  // All of them.
  [[nodiscard]] bool takes(const Row& row) const;

  // Nothing but times, and the events that every list shows.
  [[nodiscard]] bool is_plain() const;
};

}  // namespace leash::console
