// The keys of the client leg's session tickets (RFC 5077 s. 4): a ticket of one worker is good at
// any other. Only .cc files in this folder include it.
#pragma once

#include <array>
#include <chrono>
#include <mutex>
#include <optional>

#include "tls/openssl.h"

namespace leash::tls {

struct TicketKey {
  std::array<unsigned char, 16> name;
  std::array<unsigned char, 32> cipher;  // AES-256-CBC
  std::array<unsigned char, 32> mac;     // HMAC-SHA256
};

// Thread-safe. A key seals for kPeriod and opens for one more; then the tickets under it cannot be
// read by anyone.
class TicketKeys {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::hours kPeriod{4};

  [[nodiscard]] TicketKey current(Time now);
  // nullopt for a name that is not, or no longer, one of ours.
  [[nodiscard]] std::optional<TicketKey> find(const unsigned char* name, Time now);

  // Makes `context` use the keys of this process.
  [[nodiscard]] static bool use_process_keys(SSL_CTX* context);

 private:
  void rotate(Time now);

  std::mutex mutex_;
  std::optional<TicketKey> current_;
  std::optional<TicketKey> previous_;
  Time made_{};
};

}  // namespace leash::tls
