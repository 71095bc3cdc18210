// Requests of the log, decided on once more.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/authority.h"
#include "console/row.h"
#include "console/row_filter.h"
#include "policy/snapshot.h"

namespace leash::console {

inline constexpr std::size_t kMostGroups = 200'000;

// Outcomes of the last hours.
[[nodiscard]] RowFilter replay_filter(std::int64_t hours);

struct ReplayedRequest {
  base::Host host;
  std::uint16_t port = 0;
  std::string method;  // both empty: a CONNECT
  std::string path;    // with its query
};
// nullopt: the row is no request that policy has decided on.
[[nodiscard]] std::optional<ReplayedRequest> replayed(const Row& row);

// As the proxy goes about it: the CONNECT of a host first, then the request inside.
[[nodiscard]] bool decide_again(const policy::Snapshot& snapshot, const ReplayedRequest& request,
                                std::chrono::system_clock::time_point now);

}  // namespace leash::console
