#include "ctl/audit_keys.h"

#include "insight/small_file.h"

namespace leash::ctl {
namespace {

constexpr std::size_t kMaxKeyBytes = 64 * 1024;

}  // namespace

base::Result<std::vector<tls::PublicKey>> read_keys(const std::vector<std::string>& paths) {
  std::vector<tls::PublicKey> keys;
  for (const std::string& path : paths) {
    const auto pem = insight::read_small_file(path, kMaxKeyBytes);
    if (!pem) return tl::unexpected(pem.error());
    auto key = tls::PublicKey::parse(*pem);
    if (!key) {
      return base::fail(key.error().code, key.error().fault, path + ": " + key.error().text());
    }
    keys.push_back(std::move(*key));
  }
  return keys;
}

base::Result<std::vector<tls::PublicKey>> read_keys_or_own(const Context& context,
                                                           const std::vector<std::string>& paths) {
  if (!paths.empty()) return read_keys(paths);
  const auto settings = context.settings();
  if (!settings) return tl::unexpected(settings.error());
  auto keys = read_keys({settings->ca_dir + "/" + tls::kPublicKeyFile});
  if (!keys) {
    keys.error().detail += " (--key names the public key of the checkpoints)";
  }
  return keys;
}

}  // namespace leash::ctl
