#include "tls/session_cache.h"

#include <openssl/err.h>

namespace leash::tls {
namespace {

bool is_alive(const SSL_SESSION* session, SessionCache::Time now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const long made = SSL_SESSION_get_time(session);
  if (seconds < made || seconds >= made + SSL_SESSION_get_timeout(session)) return false;
  // A resumption checks no chain, so it must not outlive the certificate that was checked.
  X509* certificate = SSL_SESSION_get0_peer(const_cast<SSL_SESSION*>(session));
  std::time_t at = seconds;
  return certificate != nullptr && X509_cmp_time(X509_get0_notAfter(certificate), &at) > 0;
}

}  // namespace

void SessionCache::put(const std::string& key, SSL_SESSION* session) {
  if (SSL_SESSION_is_resumable(session) != 1) return;
  unsigned char* der = nullptr;
  const int size = i2d_SSL_SESSION(session, &der);
  const std::unique_ptr<unsigned char, FreeWith<[](void* p) { OPENSSL_free(p); }>> owner(der);
  if (size <= 0) {
    ERR_clear_error();
    return;
  }
  if (const auto old = by_key_.find(key); old != by_key_.end()) erase(old->second);
  entries_.push_front({key, {reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)}});
  by_key_[key] = entries_.begin();
  if (entries_.size() > max_entries_) erase(std::prev(entries_.end()));
}

SessionPtr SessionCache::take(const std::string& key, Time now) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  const auto entry = found->second;
  const unsigned char* der = bytes_of(entry->der);
  SessionPtr session(d2i_SSL_SESSION(nullptr, &der, static_cast<long>(entry->der.size())));
  if (session == nullptr) ERR_clear_error();
  const bool is_usable = session != nullptr && is_alive(session.get(), now);
  if (!is_usable || SSL_SESSION_get_protocol_version(session.get()) >= TLS1_3_VERSION) {
    erase(entry);
  } else {
    entries_.splice(entries_.begin(), entries_, entry);
  }
  return is_usable ? std::move(session) : nullptr;
}

void SessionCache::erase(Entries::iterator entry) {
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace leash::tls
