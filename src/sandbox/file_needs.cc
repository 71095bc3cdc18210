#include "sandbox/file_needs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/log.h"

namespace leash::sandbox {
namespace {

namespace fs = std::filesystem;

constexpr FileRights kRead = kReadFiles;

bool is_below(const fs::path& path, const fs::path& folder) {
  const auto [at, end] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return at == folder.end();
}

}  // namespace

fs::path real_path(const fs::path& path) {
  std::error_code error;
  fs::path found = fs::weakly_canonical(path, error);
  return error ? path : found;
}

fs::path folder_of(const std::string& file) {
  const fs::path parent = fs::path(file).parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

NeedsBuilder::NeedsBuilder(const std::string& ca_dir) : ca_dir_(real_path(ca_dir)) {}

void NeedsBuilder::grant(const fs::path& path, FileRights rights) {
  const fs::path place = real_path(path);
  if (is_below(ca_dir_, place) && needs_.gaps.empty()) {
    needs_.gaps.push_back("the CA's folder " + ca_dir_.string() + " is in " + place.string() +
                          ", which leash needs: Landlock does not keep it from the CA's key");
  }
  needs_.grants.push_back({place.string(), rights});
}

void NeedsBuilder::grant_unless_ca(const fs::path& path, FileRights rights) {
  const fs::path place = real_path(path);
  if (!is_below(ca_dir_, place)) needs_.grants.push_back({place.string(), rights});
}

void NeedsBuilder::grant_removal(const fs::path& folder) {
  needs_.grants.push_back({real_path(folder).string(), kRemoveNames});
}

void NeedsBuilder::grant_variable(const char* name) {
  const char* const value = std::getenv(name);
  if (value != nullptr && *value != '\0') grant_unless_ca(value, kReadFiles);
}

void NeedsBuilder::grant_links(const fs::path& folder, FileRights rights) {
  constexpr int kDepth = 2;  // lists in folders of their own
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry.depth() >= kDepth) entry.disable_recursion_pending();
    std::error_code ignored;
    if (!entry->is_symlink(ignored)) continue;
    const fs::path target = real_path(entry->path());
    if (is_below(target, real_path(folder))) continue;
    grant_unless_ca(fs::is_directory(target, ignored) ? target : target.parent_path(), rights);
  }
}

// resolv.conf and hosts are often links, and replaced by rename.
void NeedsBuilder::grant_system() {
  for (const char* place : {"/etc", "/usr", "/lib", "/lib64", "/dev/urandom", "/dev/random",
                            "/sys/devices/system/cpu"}) {
    grant_unless_ca(place, kRead);
  }
  for (const char* file : {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"}) {
    std::error_code ignored;
    if (fs::is_symlink(file, ignored)) grant_unless_ca(real_path(file).parent_path(), kRead);
  }
  // Bind mounts of single files are places of their own, whatever is above them.
  for (const char* file : {"/etc/resolv.conf", "/etc/hosts"}) grant_unless_ca(file, kRead);
  grant_unless_ca("/dev/null", kRead | kWriteFiles);
  for (const char* name :
       {"SSL_CERT_FILE", "SSL_CERT_DIR", "CARES_HOSTS", "HOSTALIASES", "OPENSSL_CONF"}) {
    grant_variable(name);
  }
#ifdef LEASH_SANITIZED
  // Its runtime looks at this process and runs a program to name functions.
  grant_unless_ca("/proc", kRead);
  grant_unless_ca("/usr", kRead | kExecute);
  grant_unless_ca(fs::path("/proc/self/exe"), kRead);
#endif
}

std::string Confinement::text() const {
  std::string out = landlock > 0 ? fmt::format("landlock {}", landlock) : "";
  if (has_seccomp) out += out.empty() ? "seccomp" : ", seccomp";
  return out.empty() ? "none" : out;
}

Confinement confine(FileNeeds needs, const std::vector<std::string>& wanted, Reach reach,
                    PathSockets path_sockets) {
  Confinement out;
  out.gaps = std::move(needs.gaps);
  if (const int abi = landlock_abi(); abi == 0) {
    out.gaps.emplace_back(
        "this kernel has no Landlock: which files leash may open, their modes say");
  } else if (const auto missing = restrict_files(needs.grants, reach); !missing) {
    out.gaps.push_back(missing.error().detail);
  } else {
    out.landlock = abi;
    for (const std::string& path : wanted) {
      if (std::find(missing->begin(), missing->end(), real_path(path).string()) != missing->end()) {
        out.gaps.push_back(path + " does not exist: leash cannot use it before it is started anew");
      }
    }
  }
  if (auto done = restrict_system_calls(Profile::kProxy, path_sockets); done) {
    out.has_seccomp = true;
  } else {
    out.gaps.push_back(done.error().detail);
  }
  for (const std::string& gap : out.gaps) spdlog::warn("sandbox: {}", gap);
  spdlog::info("sandbox: {}", out.text());
  return out;
}

}  // namespace leash::sandbox
