// The events of some logs that meet a filter.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/authority.h"
#include "base/error.h"
#include "base/ip_address.h"
#include "ctl/commands.h"
#include "ctl/log_event.h"

namespace leash::ctl {

// An EventFilter whose texts have been read.
class EventQuery {
 public:
  // Errors: bad_config, with the option and what is wrong.
  [[nodiscard]] static base::Result<EventQuery> parse(const EventFilter& filter, Moment now);
  [[nodiscard]] bool matches(const LogEvent& event) const;

 private:
  EventQuery() = default;
  std::optional<Moment> since_;
  std::optional<Moment> until_;
  std::string host_;
  std::string event_;
  std::optional<base::Network> client_;
  std::string agent_;
  std::optional<std::uint64_t> status_;
  bool would_block_ = false;
};

// Hands over each event of `files` (of the log where there are none) that `query` lets through, in
// the order of the lines. Lines that are no events are counted and told on context.err. Gives an
// exit code.
int for_each_event(const Context& context, const std::vector<std::string>& files,
                   const EventQuery& query,
                   const std::function<void(const LogEvent&, std::string_view line)>& on_event);

}  // namespace leash::ctl
