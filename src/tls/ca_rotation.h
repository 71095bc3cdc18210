// The CA that follows the one in force: made beside it, trusted by agents while both are, then put
// in its place.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/error.h"
#include "tls/authority_store.h"

namespace leash::tls {

struct NextCa {
  CaCertificate certificate;
  // When it is to be put in force; nullopt: by command alone.
  std::optional<std::chrono::system_clock::time_point> due;
};

// What is prepared in `dir`; nullopt where nothing is. Errors: bad_key_file, io.
[[nodiscard]] base::Result<std::optional<NextCa>> read_next_ca(const std::string& dir);

// Makes leash-ca-next-key.pem (0600) and leash-ca-next-cert.pem (0644) for the owner of `dir`.
// leash goes on with what it has. Errors: io where there is no CA yet, or one is prepared already.
[[nodiscard]] base::Result<NextCa> prepare_next_ca(
    const std::string& dir, std::optional<std::chrono::system_clock::time_point> due);

// Puts the prepared CA in force for the next start of leash. Files of the present one get the
// ending `.before-TIME` and are kept. May be called again after it was interrupted. Errors: io
// where nothing is prepared.
[[nodiscard]] base::Result<CaCertificate> switch_to_next_ca(
    const std::string& dir, std::chrono::system_clock::time_point now);

// Takes the prepared one back. Errors: io where nothing is prepared.
[[nodiscard]] base::Result<void> drop_next_ca(const std::string& dir);

}  // namespace leash::tls
