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
#include "insight/log_event.h"

namespace leash::ctl {

// An EventFilter whose texts have been read.
class EventQuery {
 public:
  // Errors: bad_config, with the option and what is wrong.
  [[nodiscard]] static base::Result<EventQuery> parse(const EventFilter& filter,
                                                      insight::Moment now);
  [[nodiscard]] bool matches(const insight::LogEvent& event) const;
  [[nodiscard]] const std::optional<insight::Moment>& since() const { return since_; }
  [[nodiscard]] const std::optional<insight::Moment>& until() const { return until_; }

 private:
  EventQuery() = default;
  std::optional<insight::Moment> since_;
  std::optional<insight::Moment> until_;
  std::string host_;
  std::string event_;
  std::optional<base::Network> client_;
  std::string client_name_;
  std::string agent_;
  std::optional<std::uint64_t> status_;
  bool would_block_ = false;
};

// Each line of a log, without its end. Errors: those of audit::LogReader.
base::Result<void> read_lines(const std::string& path,
                              const std::function<void(std::string_view)>& on_line);

// Hands over each event of `logs` that `query` lets through, in the order of the lines. Lines that
// are no events are counted and told on context.err. Gives an exit code.
int for_each_event(
    const Context& context, const LogChoice& logs, const EventQuery& query,
    const std::function<void(const insight::LogEvent&, std::string_view line)>& on_event);

}  // namespace leash::ctl
