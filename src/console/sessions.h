// Who is signed in to the console, in the memory of this process.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "insight/console_token.h"

namespace leash::console {

using Role = insight::ConsoleRole;

struct Session {
  Role role = Role::kViewer;
  std::string csrf;
};

// The loop's thread only. A restart signs everybody out.
class Sessions {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::hours kIdle{12};
  static constexpr std::size_t kMost = 1'000;  // past it, who was idle longest goes

  struct Opened {
    std::string id;  // for the cookie
    Session session;
  };
  [[nodiscard]] Opened open(Role role, Time now);
  // nullopt: no such session, or it has ended. Looking at it keeps it alive.
  [[nodiscard]] std::optional<Session> find(std::string_view id, Time now);
  void close(std::string_view id);

 private:
  struct Entry {
    Session session;
    Time seen;
  };
  // By the id's digest: how long a look-up takes tells nothing about an id.
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace leash::console
