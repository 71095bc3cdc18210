#include "sandbox/landlock.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/text.h"

namespace leash::sandbox {
namespace {

// The calls have these numbers on every architecture.
constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;
constexpr unsigned kAskVersion = 1;
constexpr int kPathBeneath = 1;

// linux/landlock.h, access_fs.
constexpr std::uint64_t kFsExecute = 1ULL << 0;
constexpr std::uint64_t kFsWriteFile = 1ULL << 1;
constexpr std::uint64_t kFsReadFile = 1ULL << 2;
constexpr std::uint64_t kFsReadDir = 1ULL << 3;
constexpr std::uint64_t kFsRemoveFile = 1ULL << 5;
constexpr std::uint64_t kFsMakeReg = 1ULL << 8;
constexpr std::uint64_t kFsTruncate = 1ULL << 14;
constexpr std::uint64_t kFsOfFiles =  // what a rule on a file, not a folder, may name
    kFsExecute | kFsWriteFile | kFsReadFile | kFsTruncate | 1ULL << 15;

struct RulesetAttr {
  std::uint64_t handled_fs;
  std::uint64_t handled_net;  // from version 4 on
  std::uint64_t scoped;       // from version 6 on
};
struct [[gnu::packed]] PathAttr {
  std::uint64_t allowed;
  std::int32_t parent;
};

// Everything that a version can refuse.
std::uint64_t all_fs(int abi) {
  const int count = abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13;
  return (1ULL << count) - 1;
}

std::uint64_t kernel_rights(FileRights rights) {
  std::uint64_t out = 0;
  if ((rights & kReadFiles) != 0) out |= kFsReadFile | kFsReadDir;
  if ((rights & kWriteFiles) != 0) out |= kFsWriteFile | kFsTruncate;
  if ((rights & kChangeNames) != 0) out |= kFsMakeReg | kFsRemoveFile;
  if ((rights & kRemoveNames) != 0) out |= kFsRemoveFile;
  if ((rights & kExecute) != 0) out |= kFsExecute;
  return out;
}

tl::unexpected<base::Error> refused(const std::string& what) {
  return base::fail(base::Code::kIo, base::Fault::kProxy,
                    "Landlock: " + what + ": " + base::errno_text(errno));
}

}  // namespace

int landlock_abi() {
  const long version = ::syscall(kCreateRuleset, nullptr, 0, kAskVersion);
  return version > 0 ? static_cast<int>(version) : 0;
}

base::Result<std::vector<std::string>> restrict_files(std::span<const Grant> grants, Reach reach) {
  const int abi = landlock_abi();
  if (abi == 0) return refused("not in this kernel");
  RulesetAttr attr{all_fs(abi), 0, 0};
  constexpr std::uint64_t kBindTcp = 1;
  constexpr std::uint64_t kAbstractSocketsAndSignals = 3;
  if (abi >= 4) attr.handled_net = kBindTcp;
  if (abi >= 6 && reach == Reach::kOwnProcess) attr.scoped = kAbstractSocketsAndSignals;
  // An older kernel takes a longer structure whose end is zero.
  const base::Fd ruleset(static_cast<int>(::syscall(kCreateRuleset, &attr, sizeof attr, 0)));
  if (!ruleset.is_open()) return refused("no rules");
  std::vector<std::string> missing;
  for (const Grant& grant : grants) {
    const base::Fd place(::open(grant.path.c_str(), O_PATH | O_CLOEXEC));
    struct stat info {};
    if (!place.is_open() || ::fstat(place.get(), &info) != 0) {
      missing.push_back(grant.path);
      continue;
    }
    PathAttr rule{kernel_rights(grant.rights) & attr.handled_fs, place.get()};
    if (!S_ISDIR(info.st_mode)) rule.allowed &= kFsOfFiles;
    if (rule.allowed == 0) continue;
    if (::syscall(kAddRule, ruleset.get(), kPathBeneath, &rule, 0) != 0) return refused(grant.path);
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return refused("no_new_privs");
  if (::syscall(kRestrictSelf, ruleset.get(), 0) != 0) return refused("not applied");
  return missing;
}

}  // namespace leash::sandbox
