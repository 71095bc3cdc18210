#include "tls/openssl.h"

#include <openssl/err.h>

namespace leash::tls {

std::string drain_errors() {
  std::string out;
  while (const unsigned long error = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(error);
    const std::string_view text = reason != nullptr ? reason : "unnamed error";
    if (out.find(text) != std::string::npos) continue;  // wrappers often repeat their cause
    if (!out.empty()) out += "; ";
    out += text;
  }
  return out.empty() ? "unknown error" : out;
}

}  // namespace leash::tls
