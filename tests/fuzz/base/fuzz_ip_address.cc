// Addresses, networks and socket addresses out of text: what is taken reads back as itself.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/ip_address.h"

namespace {

void require(bool is_true) {
  if (!is_true) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace leash::base;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto ip = IpAddress::parse(text)) {
    require(IpAddress::parse(ip->text()) == ip);
    require(ip->is_v4() ? IpAddress::v4(ip->v4_value()) == *ip : IpAddress::v6(ip->bytes()) == *ip);
  }
  if (const auto network = Network::parse(text)) {
    require(network->contains(network->address));
    const auto again = Network::parse(network->text());
    require(again && again->text() == network->text());
  }
  if (const auto address = SocketAddress::parse(text)) {
    const auto again = SocketAddress::parse(address->text());
    require(again && *again == *address);
  }
  return 0;
}
