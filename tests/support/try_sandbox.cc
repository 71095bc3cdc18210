// Gives up what the proxy gives up, with the proxy's own code, and then tries what an intruder
// would: one line for each attempt, "NAME ok" or "NAME ERRNO". Arguments: log, policy directory, CA
// directory, a port on 127.0.0.1 that listens; with the console's state directory behind them, what
// the console gives up.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/log.h"
#include "console/confinement.h"
#include "control/confinement.h"

namespace {

void tell(const char* name, long result) {
  std::printf("%s %s\n", name, result >= 0 ? "ok" : ::strerrorname_np(errno));
}

long open_for(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
  return fd;
}

long connect_to(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

long listen_anywhere() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at);
}

long run_a_program() {
  char name[] = "/bin/true";
  char* argv[] = {name, nullptr};
  return ::execv(name, argv);
}

long map(int protection) {
  void* const place = ::mmap(nullptr, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return place == MAP_FAILED ? -1 : 0;
}

long make_executable() {
  void* const place =
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return ::mprotect(place, 4096, PROT_READ | PROT_EXEC);
}

void try_files(const std::string& log, const std::string& policy, const std::string& ca) {
  tell("log_append", open_for(log, O_RDWR | O_APPEND | O_CREAT));
  tell("log_new_file", open_for(log + ".new", O_WRONLY | O_CREAT | O_EXCL));
  tell("log_rename", ::rename((log + ".new").c_str(), (log + ".seq000000000001").c_str()));
  tell("log_remove", ::unlink((log + ".seq000000000001").c_str()));
  tell("policy_read", open_for(policy + "/enforce.yaml", O_RDONLY));
  tell("policy_list_read", open_for(policy + "/lists/a.txt", O_RDONLY));
  tell("resolver_read", open_for("/etc/resolv.conf", O_RDONLY));
  tell("trust_read", open_for("/etc/ssl/openssl.cnf", O_RDONLY));
  tell("null_write", open_for("/dev/null", O_WRONLY));
  const int watch = ::inotify_init1(IN_CLOEXEC);
  tell("policy_watch", watch < 0 ? -1 : ::inotify_add_watch(watch, policy.c_str(), IN_CREATE));

  tell("certificate_read", open_for(ca + "/leash-ca-cert.pem", O_RDONLY));

  tell("key_read", open_for(ca + "/leash-ca-key.pem", O_RDONLY));
  tell("audit_key_read", open_for(ca + "/leash-audit-key.pem", O_RDONLY));
  tell("key_write", open_for(ca + "/leash-ca-key.pem", O_WRONLY));
  tell("ca_new_file", open_for(ca + "/new.pem", O_WRONLY | O_CREAT));
  tell("policy_write", open_for(policy + "/enforce.yaml", O_WRONLY));
  tell("policy_truncate", ::truncate((policy + "/enforce.yaml").c_str(), 0));
  tell("policy_new_file", open_for(policy + "/new.yaml", O_WRONLY | O_CREAT));
  tell("policy_remove", ::unlink((policy + "/enforce.yaml").c_str()));
  tell("tmp_write", open_for("/tmp/leash-try-sandbox", O_WRONLY | O_CREAT));
  tell("etc_write", open_for("/etc/leash-try-sandbox", O_WRONLY | O_CREAT));
  tell("other_read", open_for("/root", O_RDONLY | O_DIRECTORY));
  tell("log_folder", ::mkdir((log + ".d").c_str(), 0700));
  tell("log_link", ::symlink("/etc/passwd", (log + ".link").c_str()));
  tell("log_socket", ::mknod((log + ".sock").c_str(), S_IFSOCK | 0600, 0));
}

void try_calls(int port) {
  tell("connect", connect_to(port));
  long thread = 0;
  std::thread([&thread] { thread = 1; }).join();
  tell("thread", thread);
  struct flock first_byte {};
  first_byte.l_type = F_WRLCK;
  first_byte.l_len = 1;
  tell("lock_of_a_file",
       ::fcntl(::open("/dev/null", O_RDWR | O_CLOEXEC), F_OFD_SETLK, &first_byte));
  tell("bind", listen_anywhere());
#ifndef LEASH_SANITIZED  // where they work, and this program would be another one, or two
  tell("exec", run_a_program());
  tell("fork", ::fork());
#endif
  tell("ptrace", ::ptrace(PTRACE_ATTACH, ::getppid(), nullptr, nullptr));
  tell("other_memory", ::syscall(SYS_process_vm_readv, ::getppid(), nullptr, 0, nullptr, 0, 0));
  tell("kill", ::kill(::getppid(), 0));
  tell("user_namespace", ::unshare(CLONE_NEWUSER));
  tell("net_namespace", ::unshare(CLONE_NEWNET));
  tell("mount", ::mount("none", "/mnt", "tmpfs", 0, nullptr));
  tell("bpf", ::syscall(SYS_bpf, 0, nullptr, 0));
  tell("raw_socket", ::socket(AF_PACKET, SOCK_RAW, 0));
  tell("routes", ::socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  tell("firewall", ::socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER));
  tell("path_socket", ::socket(AF_UNIX, SOCK_STREAM, 0));
  tell("listen", ::listen(::socket(AF_INET, SOCK_STREAM, 0), 1));
  tell("signal_by_descriptor", ::fcntl(STDOUT_FILENO, F_SETOWN, ::getppid()));
  tell("write_and_execute", map(PROT_READ | PROT_WRITE | PROT_EXEC));
  tell("make_executable", make_executable());
  tell("dumpable", ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
  tell("memfd", ::syscall(SYS_memfd_create, "x", 0));
  tell("setuid", ::setuid(65534));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5 && argc != 6) return 2;
  leash::base::init_log();
  leash::config::Settings settings;
  settings.log = argv[1];
  settings.policy_dir = argv[2];
  settings.ca_dir = argv[3];
  leash::console::Settings console;
  console.leash = settings;
  if (argc == 6) console.state_dir = argv[5];
  const auto confinement =
      argc == 6 ? leash::console::confine(console) : leash::control::confine(settings);
  std::printf("sandbox %s\n", confinement.text().c_str());
  if (argc == 6) {
    const std::string index = console.state_dir + "/index.db";
    tell("state_write", open_for(index, O_RDWR | O_CREAT));
    tell("state_remove", ::unlink(index.c_str()));
  }
  try_files(argv[1], argv[2], argv[3]);
  try_calls(std::atoi(argv[4]));
  std::fflush(stdout);
  return 0;
}
