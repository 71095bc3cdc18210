// What stands before each TLS record and each message of a handshake.
#pragma once

#include <cstddef>

namespace leash::tls {

inline constexpr std::size_t kRecordHeaderBytes = 5;   // RFC 8446 s. 5.1
inline constexpr std::size_t kMessageHeaderBytes = 4;  // s. 4
inline constexpr char kHandshakeRecord = 22;

}  // namespace leash::tls
