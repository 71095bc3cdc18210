// The sizes of TLS records, and what stands before each and before each message of a handshake.
#pragma once

#include <cstddef>

namespace leash::tls {

inline constexpr std::size_t kRecordHeaderBytes = 5;        // RFC 8446 s. 5.1
inline constexpr std::size_t kMaxRecordPlainBytes = 16384;  // the same
inline constexpr std::size_t kMessageHeaderBytes = 4;       // s. 4
inline constexpr char kHandshakeRecord = 22;

}  // namespace leash::tls
