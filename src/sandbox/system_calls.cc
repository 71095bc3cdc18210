#include "sandbox/system_calls.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <initializer_list>
#include <memory>
#include <string>

#include "base/free_with.h"
#include "base/text.h"

namespace leash::sandbox {
namespace {

#ifdef LEASH_SANITIZED
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

// Names, not numbers: libseccomp knows which of them this architecture has.
constexpr const char* kMemoryAndTime[] = {
    "brk",       "munmap",        "mremap",          "madvise",      "futex",
    "exit",      "exit_group",    "getrandom",       "getpid",       "gettid",
    "nanosleep", "clock_gettime", "clock_nanosleep", "gettimeofday", "restart_syscall",
    "time",      "rt_sigaction",  "rt_sigprocmask",  "rt_sigreturn", "sigaltstack",
    "close",     "read",          "write",           "writev",       "poll",
    "ppoll",     "recvmsg",       "sendmsg",         "recvfrom",     "sendto",
    "rseq",      "sched_yield",
};
constexpr const char* kProxyCalls[] = {
    // files
    "open",
    "openat",
    "readv",
    "pread64",
    "preadv",
    "pwrite64",
    "pwritev",
    "lseek",
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "statx",
    "statfs",
    "fstatfs",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "flock",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "fadvise64",
    "fchmod",
    "fchown",
    "utimensat",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "umask",
    "dup",
    "dup2",
    "dup3",
    "pipe2",
    "close_range",
    "copy_file_range",
    "inotify_init1",
    "inotify_add_watch",
    "inotify_rm_watch",
    // waiting
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "select",
    "pselect6",
    "eventfd2",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "signalfd4",
    "rt_sigpending",
    "rt_sigtimedwait",
    // sockets
    "connect",
    "accept",
    "accept4",
    "bind",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
    "sendmmsg",
    "recvmmsg",
    "shutdown",
    "socketpair",
    // threads and what they ask about themselves
    "set_robust_list",
    "get_robust_list",
    "set_tid_address",
    "membarrier",
    "sched_getaffinity",
    "sched_setaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_setscheduler",
    "getpriority",
    "setpriority",
    "ioprio_set",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getresuid",
    "getresgid",
    "getgroups",
    "uname",
    "sysinfo",
    "times",
    "getrusage",
    "getrlimit",
    "clock_getres",
    "futex_waitv",
    "getcpu",
};
// What no part of leash does; said by name, so that it fails with EPERM also where everything else
// is allowed.
constexpr const char* kNobodys[] = {
    // other processes
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "kcmp",
    "pidfd_getfd",
    "pidfd_open",
    "pidfd_send_signal",
    "perf_event_open",
    "bpf",
    "userfaultfd",
    // namespaces and mounts
    "unshare",
    "setns",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    // the machine
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "sethostname",
    "setdomainname",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "syslog",
    "vhangup",
    "iopl",
    "ioperm",
    "modify_ldt",
    // users, keys, odd ways to files
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setfsuid",
    "setfsgid",
    "setgroups",
    "capset",
    "add_key",
    "request_key",
    "keyctl",
    "open_by_handle_at",
    "name_to_handle_at",
    "mknod",
    "mknodat",
    "symlink",
    "symlinkat",
    "link",
    "linkat",
    "fanotify_init",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "memfd_secret",
};
constexpr const char* kNotInRelease[] = {
    // a sanitizer does these
    "execve",       "execveat",  "fork",  "vfork",  "ptrace", "personality",
    "memfd_create", "setrlimit", "wait4", "waitid", "kill",
};
constexpr const char* kKeeperHasNone[] = {
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "ptrace",
};

class Filter {
 public:
  explicit Filter(std::uint32_t otherwise) : context_(::seccomp_init(otherwise)) {
    if (!context_) {
      error_ = ENOMEM;
      return;
    }
    // A tree instead of a list.
    note(::seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));
  }

  template <class Names>
  void allow(const Names& names) {
    for (const char* name : names) add(SCMP_ACT_ALLOW, name, {});
  }
  template <class Names>
  void forbid(const Names& names) {
    for (const char* name : names) add(SCMP_ACT_ERRNO(EPERM), name, {});
  }
  // One call with the arguments compared.
  void add(std::uint32_t action, const char* name, std::initializer_list<scmp_arg_cmp> arguments) {
    const int number = ::seccomp_syscall_resolve_name(name);
    if (number < 0) return;  // not on this architecture, or too new for this library
    note(::seccomp_rule_add_array(context_.get(), action, number,
                                  static_cast<unsigned>(arguments.size()), arguments.begin()));
  }
  base::Result<void> load() {
    if (error_ == 0) note(::seccomp_load(context_.get()));
    if (error_ == 0) return {};
    return base::fail(base::Code::kIo, base::Fault::kProxy, "seccomp: " + base::errno_text(error_));
  }

 private:
  void note(int result) {
    if (error_ == 0 && result < 0) error_ = -result;
  }

  std::unique_ptr<void, base::FreeWith<::seccomp_release>> context_;
  int error_ = 0;
};

scmp_arg_cmp is(unsigned argument, std::uint64_t value) {
  return {argument, SCMP_CMP_EQ, value, 0};
}
// Of the bits in `mask`, exactly those of `value` are set.
scmp_arg_cmp has_bits(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

// Memory is written or run, never both, and none becomes executable later.
void allow_memory(Filter& filter) {
  constexpr std::uint64_t kBoth = PROT_WRITE | PROT_EXEC;
  for (const std::uint64_t protection :
       {std::uint64_t{0}, std::uint64_t{PROT_WRITE}, std::uint64_t{PROT_EXEC}}) {
    filter.add(SCMP_ACT_ALLOW, "mmap", {has_bits(2, kBoth, protection)});
  }
  filter.add(SCMP_ACT_ALLOW, "mprotect", {has_bits(2, PROT_EXEC, 0)});
  // abort()
  filter.add(SCMP_ACT_ALLOW, "tgkill", {is(0, static_cast<std::uint64_t>(::getpid()))});
}

Filter proxy_filter(PathSockets path_sockets) {
  Filter filter(SCMP_ACT_ERRNO(ENOSYS));
  filter.allow(kMemoryAndTime);
  filter.allow(kProxyCalls);
  filter.forbid(kNobodys);
  filter.forbid(kNotInRelease);
  allow_memory(filter);
  for (const int family : {AF_INET, AF_INET6}) {
    filter.add(SCMP_ACT_ALLOW, "socket", {is(0, static_cast<std::uint64_t>(family))});
  }
  // Which interfaces there are, and not the firewall's or the audit system's.
  filter.add(SCMP_ACT_ALLOW, "socket", {is(0, AF_NETLINK), is(2, NETLINK_ROUTE)});
  if (path_sockets == PathSockets::kAny) {
    filter.add(SCMP_ACT_ALLOW, "socket", {is(0, AF_UNIX)});
  }
  // Not those that have a signal sent to somebody.
  for (const int command : {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK,
                            F_SETLK, F_SETLKW, F_OFD_SETLK, F_GET_SEALS}) {
    filter.add(SCMP_ACT_ALLOW, "fcntl", {is(1, static_cast<std::uint64_t>(command))});
  }
  // Threads; clone3 has its flags in memory, where a filter cannot see them: ENOSYS, so that the C
  // library takes this one.
  constexpr std::uint64_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
                                           CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                           CLONE_NEWCGROUP;
  filter.add(SCMP_ACT_ALLOW, "clone", {has_bits(0, CLONE_THREAD | kNewNamespaces, CLONE_THREAD)});
  filter.add(SCMP_ACT_ERRNO(EPERM), "clone", {has_bits(0, CLONE_THREAD, 0)});
  for (const int request : {FIONBIO, FIONREAD, TCGETS, TIOCGWINSZ, SIOCGIFNAME, SIOCGIFINDEX}) {
    filter.add(SCMP_ACT_ALLOW, "ioctl", {is(1, static_cast<std::uint64_t>(request))});
  }
  constexpr std::uint64_t kSetVma = 0x53564d41;  // names of memory areas, of newer C libraries
  for (const std::uint64_t option : {std::uint64_t{PR_SET_NAME}, std::uint64_t{PR_GET_NAME},
                                     std::uint64_t{PR_GET_DUMPABLE}, kSetVma}) {
    filter.add(SCMP_ACT_ALLOW, "prctl", {is(0, option)});
  }
  filter.add(SCMP_ACT_ALLOW, "prlimit64", {is(2, 0)});  // to ask, not to set
  return filter;
}

Filter signer_filter() {
  Filter filter(SCMP_ACT_ERRNO(EPERM));
  filter.allow(kMemoryAndTime);
  allow_memory(filter);
  return filter;
}

Filter keeper_filter() {
  Filter filter(SCMP_ACT_ALLOW);
  filter.forbid(kNobodys);
  if (!kIsSanitized) filter.forbid(kKeeperHasNone);
  filter.add(SCMP_ACT_ERRNO(ENOSYS), "clone3", {});
  for (const int flag : {CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID,
                         CLONE_NEWNET, CLONE_NEWCGROUP}) {
    const auto bits = static_cast<std::uint64_t>(flag);
    filter.add(SCMP_ACT_ERRNO(EPERM), "clone", {has_bits(0, bits, bits)});
  }
  return filter;
}

}  // namespace

base::Result<void> restrict_system_calls(Profile profile, PathSockets path_sockets) {
  if (kIsSanitized || profile == Profile::kKeeper) return keeper_filter().load();
  return profile == Profile::kProxy ? proxy_filter(path_sockets).load() : signer_filter().load();
}

}  // namespace leash::sandbox
