#include "tls/ca_rotation.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/text.h"
#include "tls/certificate.h"
#include "tls/key_file.h"
#include "tls/pem.h"

namespace leash::tls {
namespace {

using base::Code;
using base::Fault;
using std::chrono::hours;
using std::chrono::system_clock;

constexpr const char* kKey = "/leash-ca-key.pem";
constexpr const char* kCertificate = "/leash-ca-cert.pem";
constexpr const char* kNextKey = "/leash-ca-next-key.pem";
constexpr const char* kNextCertificate = "/leash-ca-next-cert.pem";
constexpr const char* kDue = "/leash-ca-next-due";  // Unix seconds, in digits
constexpr std::array kBundle = {"/mitmproxy-ca.pem", "/mitmproxy-ca-cert.pem"};

constexpr hours kBackdate{24};  // as that of the first CA: agents' clocks differ
constexpr hours kLife{10 * 365 * 24};

tl::unexpected<base::Error> io(std::string text) {
  return base::fail(Code::kIo, Fault::kProxy, std::move(text));
}

tl::unexpected<base::Error> io(const std::string& path, int error) {
  return io(path + ": " + base::errno_text(error));
}

bool exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

// Root makes it, leash's user reads it.
base::Result<void> give_to_owner_of(const std::string& dir, const std::string& path) {
  struct stat info {};
  if (::stat(dir.c_str(), &info) != 0) return io(dir, errno);
  if (info.st_uid == ::geteuid()) return {};
  if (::lchown(path.c_str(), info.st_uid, info.st_gid) != 0) return io(path, errno);
  return {};
}

base::Result<void> place(const std::string& dir, const char* name, mode_t mode,
                         std::string_view text) {
  const std::string path = dir + name;
  const auto placed = place_new_file(path, mode, text);
  if (!placed) return tl::unexpected(placed.error());
  if (*placed == Placed::kAlreadyThere) return io(path + " is there already");
  return give_to_owner_of(dir, path);
}

base::Result<void> move(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) return io(from, errno);
  return {};
}

// Puts `from` in the place of `to` in one step; what was there stays under `kept`.
base::Result<void> replace(const std::string& from, const std::string& to,
                           const std::string& kept) {
  if (::link(to.c_str(), kept.c_str()) != 0 && errno != ENOENT && errno != EEXIST) {
    return io(kept, errno);
  }
  return move(from, to);
}

base::Result<void> remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return io(path, errno);
  return {};
}

base::Result<std::optional<CaCertificate>> read_certificate(const std::string& path) {
  const auto pem = read_public_file(path);
  if (!pem) return tl::unexpected(pem.error());
  if (!*pem) return std::nullopt;
  const CertPtr certificate = certificate_from(**pem);
  if (certificate == nullptr) {
    return base::fail(Code::kBadKeyFile, Fault::kProxy,
                      path + " holds no certificate: " + drain_errors());
  }
  X509* c = certificate.get();
  return CaCertificate{path, certificate_pem(c), fingerprint_of(c), subject_of(c),
                       iso_8601(validity_of(c).not_after)};
}

base::Result<std::optional<system_clock::time_point>> read_due(const std::string& path) {
  const auto text = read_public_file(path);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return std::nullopt;
  long long seconds = 0;
  const char* end = (*text)->data() + (*text)->size();
  const auto [stop, error] = std::from_chars((*text)->data(), end, seconds);
  if (error != std::errc() || (stop != end && *stop != '\n')) {
    return base::fail(Code::kBadKeyFile, Fault::kProxy, path + " holds no time");
  }
  return system_clock::time_point(std::chrono::seconds(seconds));
}

constexpr const char* kNothingPrepared = "no CA is prepared; 'leashctl ca rotate' makes one";

}  // namespace

base::Result<std::optional<NextCa>> read_next_ca(const std::string& dir) {
  auto certificate = read_certificate(dir + kNextCertificate);
  if (!certificate) return tl::unexpected(certificate.error());
  if (!*certificate) return std::nullopt;
  const auto due = read_due(dir + kDue);
  if (!due) return tl::unexpected(due.error());
  return NextCa{std::move(**certificate), *due};
}

base::Result<NextCa> prepare_next_ca(const std::string& dir,
                                     std::optional<system_clock::time_point> due) {
  if (const auto present = read_ca_certificate(dir); !present) {
    return tl::unexpected(present.error());
  }
  if (exists(dir + kNextCertificate)) {
    return io("a CA is prepared already: " + dir + kNextCertificate);
  }
  const KeyPtr key = new_p256_key();
  const system_clock::time_point now = system_clock::now();
  const CertPtr certificate =
      key ? make_ca_certificate(key.get(), {now - kBackdate, now + kLife}) : nullptr;
  if (certificate == nullptr) return io("no new CA: " + drain_errors());
  // The certificate last: what says that a CA is prepared stands on the rest.
  if (auto ok = remove(dir + kNextKey); !ok) return tl::unexpected(ok.error());
  if (auto ok = remove(dir + kDue); !ok) return tl::unexpected(ok.error());
  std::string pem = private_pem(key.get());
  const auto placed = place(dir, kNextKey, 0600, pem);
  wipe(pem);
  if (!placed) return tl::unexpected(placed.error());
  if (due) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(due->time_since_epoch()).count();
    if (auto ok = place(dir, kDue, 0644, std::to_string(seconds) + "\n"); !ok) {
      return tl::unexpected(ok.error());
    }
  }
  if (auto ok = place(dir, kNextCertificate, 0644, certificate_pem(certificate.get())); !ok) {
    return tl::unexpected(ok.error());
  }
  auto made = read_next_ca(dir);
  if (!made) return tl::unexpected(made.error());
  if (!*made) return io(dir + kNextCertificate + " vanished");
  return std::move(**made);
}

base::Result<CaCertificate> switch_to_next_ca(const std::string& dir,
                                              system_clock::time_point now) {
  const auto next = read_certificate(dir + kNextCertificate);
  if (!next) return tl::unexpected(next.error());
  if (!*next) return io(kNothingPrepared);
  // The certificate says that a CA is prepared, so it goes last: interrupted anywhere, this is
  // called again. A leash that starts between the two finds a key and a certificate that do not
  // belong together, and does not start.
  const std::string ending = ".before-" + iso_8601(now);
  if (exists(dir + kNextKey)) {
    if (auto ok = replace(dir + kNextKey, dir + kKey, dir + kKey + ending); !ok) {
      return tl::unexpected(ok.error());
    }
  }
  if (auto ok = remove(dir + kDue); !ok) return tl::unexpected(ok.error());
  if (auto ok = replace(dir + kNextCertificate, dir + kCertificate, dir + kCertificate + ending);
      !ok) {
    return tl::unexpected(ok.error());
  }
  // Not looked at where there is an own key; out of the way all the same.
  for (const char* name : kBundle) {
    const std::string path = dir + name;
    if (auto ok = move(path, std::string(path).append(ending)); !ok) {
      return tl::unexpected(ok.error());
    }
  }
  return read_ca_certificate(dir);
}

base::Result<void> drop_next_ca(const std::string& dir) {
  if (!exists(dir + kNextCertificate)) return io(kNothingPrepared);
  for (const char* name : {kNextCertificate, kNextKey, kDue}) {
    if (auto ok = remove(dir + name); !ok) return ok;
  }
  return {};
}

}  // namespace leash::tls
