// Names out of a stranger's bytes: what is taken is canonical and reads back as itself.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/authority.h"

namespace {

using leash::base::Authority;
using leash::base::Host;

void require(bool is_true) {
  if (!is_true) std::abort();
}

void check_host(const Host& host) {
  require(!host.empty() && host.text().size() <= 253);
  for (const char c : host.text()) {
    require((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' ||
            (host.is_ip() && c == ':'));
  }
  const auto again = Host::parse(host.bracketed());
  require(again && *again == host && again->ip() == host.ip());
  const auto lenient = Host::parse_lenient(host.text());
  require(lenient && *lenient == host);
}

void check_authority(const Authority& authority) {
  check_host(authority.host);
  const auto again = leash::base::parse_connect_target(authority.text());
  require(again && *again == authority && authority.port != 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto host = Host::parse(text)) check_host(*host);
  if (const auto host = Host::parse_lenient(text)) check_host(*host);
  const auto target = leash::base::parse_connect_target(text);
  const auto authority = leash::base::parse_authority(text, 443);
  if (target) {
    check_authority(*target);
    require(authority && *authority == *target);
  }
  if (authority) check_authority(*authority);
  return 0;
}
