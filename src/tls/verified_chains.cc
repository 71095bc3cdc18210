#include "tls/verified_chains.h"

#include <algorithm>
#include <string>

#include "tls/certificate.h"

namespace leash::tls {
namespace {

bool append_der(std::string& out, const X509* certificate) {
  const int size = i2d_X509(certificate, nullptr);
  if (size <= 0) return false;
  const std::size_t before = out.size();
  out.resize(before + static_cast<std::size_t>(size));
  auto* at = reinterpret_cast<unsigned char*>(out.data()) + before;
  return i2d_X509(certificate, &at) == size;
}

}  // namespace

std::optional<VerifiedChains::Id> VerifiedChains::id_of(const X509_STORE_CTX* presented) {
  const X509* leaf = X509_STORE_CTX_get0_cert(presented);
  const STACK_OF(X509)* sent = X509_STORE_CTX_get0_untrusted(presented);
  std::string bytes;  // DER says where each one ends
  bool is_whole = leaf != nullptr && append_der(bytes, leaf);
  for (int i = 0; is_whole && i < sk_X509_num(sent); ++i) {
    is_whole = append_der(bytes, sk_X509_value(sent, i));
  }
  if (!is_whole) return std::nullopt;
  return sha256(bytes);
}

void VerifiedChains::put(const Id& id, const X509_STORE_CTX* verified, Time now) {
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(verified);
  Time until = now + kLife;
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    until = std::min(until, validity_of(sk_X509_value(chain, i)).not_after);
  }
  if (sk_X509_num(chain) <= 0 || until <= now || max_entries_ == 0) return;
  const auto [entry, is_new] = entries_.try_emplace(id);
  if (!is_new) order_.erase(entry->second.place);
  order_.push_front(id);
  entry->second = {now, until, order_.begin()};
  if (entries_.size() > max_entries_) {
    entries_.erase(order_.back());
    order_.pop_back();
  }
}

bool VerifiedChains::has(const Id& id, Time now) const {
  const auto entry = entries_.find(id);
  return entry != entries_.end() && entry->second.since <= now && now < entry->second.until;
}

}  // namespace leash::tls
