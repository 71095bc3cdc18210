#include "insight/suffixes.h"

#include <libpsl.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include "base/free_with.h"

namespace leash::insight {
namespace {

using PslPtr = std::unique_ptr<psl_ctx_t, base::FreeWith<psl_free>>;

// Parents of names that anybody can rent. The public suffix list has the places below them, but not
// these.
constexpr std::array<std::string_view, 14> kHostingParents = {
    "amazonaws.com",         "awsapps.com",      "azure.com",      "azure.net",
    "cloudapp.net",          "digitalocean.com", "fly.io",         "githubusercontent.com",
    "googleusercontent.com", "oraclecloud.com",  "sharepoint.com", "trafficmanager.net",
    "windows.net",           "zeit.co"};

// The newer of the system's list and the one built into libpsl; lives as long as the process.
const psl_ctx_t* suffix_list() {
  static const PslPtr list(psl_latest(nullptr));
  return list != nullptr ? list.get() : psl_builtin();
}

bool is_suffix(const std::string& name, int type) {
  const psl_ctx_t* list = suffix_list();
  return list != nullptr && psl_is_public_suffix2(list, name.c_str(), type) != 0;
}

}  // namespace

std::string shared_name_warning(const base::Host& host) {
  // A name of one label matches itself and nothing below it.
  if (host.is_ip() || host.text().find('.') == std::string::npos) return {};
  const std::string& name = host.text();
  if (is_suffix(name, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE)) {
    return name + " is a public suffix: this covers every domain registered under it";
  }
  const bool is_parent =
      std::find(kHostingParents.begin(), kHostingParents.end(), name) != kHostingParents.end();
  if (is_parent || is_suffix(name, PSL_TYPE_PRIVATE | PSL_TYPE_NO_STAR_RULE)) {
    return name +
           " is a shared hosting domain: anybody can have a name under it, and this covers all of "
           "them";
  }
  return {};
}

bool has_one_owner(const std::string& name) {
  const psl_ctx_t* list = suffix_list();
  if (list == nullptr || psl_registrable_domain(list, name.c_str()) == nullptr) return false;
  if (is_suffix(name, PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE)) return false;
  return std::none_of(kHostingParents.begin(), kHostingParents.end(), [&](std::string_view parent) {
    return name == parent || name.ends_with("." + std::string(parent));
  });
}

std::string registrable_domain(const std::string& name) {
  const psl_ctx_t* list = suffix_list();
  const char* domain = list == nullptr ? nullptr : psl_registrable_domain(list, name.c_str());
  return domain == nullptr ? name : domain;
}

}  // namespace leash::insight
