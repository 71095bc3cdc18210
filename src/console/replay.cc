#include "console/replay.h"

#include "policy/decide.h"

namespace leash::console {
namespace {

// From the path on; "/" where there is none.
std::string path_of(std::string_view url) {
  const auto scheme = url.find("://");
  const auto start = scheme == std::string_view::npos ? 0 : scheme + 3;
  const auto slash = url.find_first_of("/?", start);
  if (slash == std::string_view::npos) return "/";
  const std::string_view rest = url.substr(slash);
  return rest.front() == '?' ? "/" + std::string(rest) : std::string(rest);
}

}  // namespace

RowFilter replay_filter(std::int64_t hours) {
  RowFilter filter;
  const auto since = std::chrono::system_clock::now() - std::chrono::hours(hours);
  filter.after_us =
      std::chrono::duration_cast<std::chrono::microseconds>(since.time_since_epoch()).count();
  filter.events = mask_of(EventKind::kAllowed) | mask_of(EventKind::kBlocked) |
                  mask_of(EventKind::kTunnelClosed);
  return filter;
}

std::optional<ReplayedRequest> replayed(const Row& row) {
  // A tunnel counts where nothing else tells of what was in it.
  if (row.kind == EventKind::kTunnelClosed && !row.has(kSpliced)) return std::nullopt;
  if (row.host.empty() || row.port == 0) return std::nullopt;
  ReplayedRequest out;
  if (const auto ip = base::IpAddress::parse(row.host)) {
    out.host = base::Host::from_ip(*ip);
  } else {
    auto host = base::Host::parse(row.host);
    if (!host) return std::nullopt;
    out.host = std::move(*host);
  }
  out.port = row.port;
  if (!row.url.empty()) {
    out.method = row.method;
    out.path = path_of(row.url);
  }
  return out;
}

bool decide_again(const policy::Snapshot& snapshot, const ReplayedRequest& request,
                  std::chrono::system_clock::time_point now) {
  if (!policy::decide(snapshot, {request.host, request.port, {}, {}}, now).is_allowed) return false;
  if (request.method.empty()) return true;
  return policy::decide(snapshot, {request.host, request.port, request.method, request.path}, now)
      .is_allowed;
}

}  // namespace leash::console
