#include "proxy/proxy_names.h"

#include <doctest/doctest.h>

#include <string>

namespace leash::proxy {
namespace {

const auto kLocal = *base::IpAddress::parse("10.0.0.5");

std::string chosen(const ProxyNames& names, const std::optional<std::string>& sni,
                   const std::optional<base::IpAddress>& local = kLocal) {
  const auto host = names.choose(sni, local);
  return host ? host->text() : std::string(base::word(host.error().code));
}

TEST_CASE("TLS to the proxy is served for its own names only") {
  const ProxyNames names({*base::Host::parse("leash.lan"), *base::Host::parse("proxy.lan")});
  CHECK(chosen(names, "leash.lan") == "leash.lan");
  CHECK(chosen(names, "PROXY.lan.") == "proxy.lan");
  CHECK(chosen(names, "10.0.0.5") == "10.0.0.5");
  for (const char* sni : {"localhost", "a.leash.lan", "10.0.0.6", "api.example", "bad host", ""}) {
    CAPTURE(sni);
    CHECK(chosen(names, sni) == "name_mismatch");
  }
}

TEST_CASE("without an SNI the leaf is for the address, or for the one that clients see") {
  CHECK(chosen(ProxyNames({}), std::nullopt) == "10.0.0.5");
  CHECK(chosen(ProxyNames({}), std::nullopt, std::nullopt) == "localhost");
  const ProxyNames named({*base::Host::parse("leash.lan"), *base::Host::parse("192.0.2.1")});
  CHECK(chosen(named, std::nullopt) == "192.0.2.1");
}

TEST_CASE("the default names are localhost and the host's") {
  CHECK(chosen(ProxyNames({}), "localhost") == "localhost");
}

}  // namespace
}  // namespace leash::proxy
