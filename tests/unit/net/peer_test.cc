#include "net/peer.h"

#include <doctest/doctest.h>

using leash::base::SocketAddress;
using leash::net::Peer;

namespace {

Peer peer_at(const char* address) {
  Peer peer;
  peer.address = *SocketAddress::parse(address);
  return peer;
}

}  // namespace

TEST_CASE("an IPv6 client counts by its /64 and is logged by its address") {
  const Peer one = peer_at("[2001:db8:1:2::7]:1000");
  CHECK(one.name() == "2001:db8:1:2::7");
  CHECK(one.account() == "2001:db8:1:2::/64");
  CHECK(peer_at("[2001:db8:1:2:ffff:ffff:ffff:ffff]:9").account() == one.account());
  CHECK(peer_at("[2001:db8:1:3::7]:1000").account() != one.account());
}

TEST_CASE("IPv4 clients and users on a unix socket count each for themselves") {
  CHECK(peer_at("10.0.0.7:1000").account() == "10.0.0.7");
  Peer user;
  user.is_unix = true;
  user.uid = 1000;
  CHECK(user.account() == "unix:1000");
}
