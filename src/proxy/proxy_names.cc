#include "proxy/proxy_names.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace leash::proxy {
namespace {

std::vector<base::Host> default_names() {
  std::vector<base::Host> names{*base::Host::parse("localhost")};
  std::array<char, 256> text{};
  if (::gethostname(text.data(), text.size() - 1) != 0) return names;
  const auto own = base::Host::parse_lenient(text.data());
  if (own && !own->empty() && *own != names.front()) names.push_back(*own);
  return names;
}

}  // namespace

ProxyNames::ProxyNames(std::vector<base::Host> names)
    : names_(names.empty() ? default_names() : std::move(names)) {}

base::Result<base::Host> ProxyNames::choose(const std::optional<std::string>& sni,
                                            const std::optional<base::IpAddress>& local) const {
  if (!sni) {
    const auto address = std::find_if(names_.begin(), names_.end(),
                                      [](const base::Host& name) { return name.is_ip(); });
    if (address != names_.end()) return *address;
    return local ? base::Host::from_ip(*local) : names_.front();
  }
  const auto name = base::Host::parse(*sni);
  const bool is_ours = name && (std::find(names_.begin(), names_.end(), *name) != names_.end() ||
                                (local && *name == base::Host::from_ip(*local)));
  if (is_ours) return *name;
  return base::fail(base::Code::kNameMismatch, base::Fault::kClient,
                    "sni " + *sni + " is no name of the proxy");
}

}  // namespace leash::proxy
