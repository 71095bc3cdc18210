#include "signer/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "base/log.h"
#include "base/text.h"
#include "sandbox/process.h"
#include "sandbox/system_calls.h"
#include "signer/service.h"
#include "signer/wire.h"

extern char** environ;

namespace leash::signer {
namespace {

using base::Code;
using base::Fault;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::string_view kKeeper = "--signer-keeper";
constexpr std::string_view kSigner = "--signer";
constexpr const char* kSelf = "/proc/self/exe";
constexpr int kFirstSocket = 3;
constexpr std::uint64_t kMostSockets = 4096;
constexpr int kUsage = 2;
constexpr int kCannotRun = 127;
constexpr std::chrono::seconds kStartTime{30};
// A signer that died is started again at once; one that dies again and again, at this pace.
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{10'000};
constexpr std::chrono::seconds kGoodLife{60};

// This very program. By its name as long as that leads to it, since the link leads to the tool
// where one runs it (valgrind); a file that was replaced or removed is reached by the link alone.
std::string own_program() {
  std::array<char, 4096> name{};
  const ssize_t size = ::readlink(kSelf, name.data(), name.size());
  if (size <= 0 || static_cast<std::size_t>(size) == name.size()) return kSelf;
  std::string path(name.data(), static_cast<std::size_t>(size));
  return path.ends_with(" (deleted)") || ::access(path.c_str(), X_OK) != 0 ? kSelf : path;
}

std::string hex_of(const tls::LeafPoint& point) {
  std::string out;
  base::append_hex(out, {reinterpret_cast<const char*>(point.data()), point.size()});
  return out;
}

std::optional<tls::LeafPoint> point_from(std::string_view hex) {
  tls::LeafPoint out{};
  if (hex.size() != 2 * out.size()) return std::nullopt;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto value = kDigits.find(hex[i]);
    if (value == std::string_view::npos) return std::nullopt;
    out[i / 2] = static_cast<std::uint8_t>(std::size_t{out[i / 2]} << 4U | value);
  }
  return out;
}

// What a service manager told the proxy is not for its helpers.
std::vector<char*> helper_environment() {
  std::vector<char*> out;
  for (char** each = environ; *each != nullptr; ++each) {
    const std::string_view pair = *each;
    const bool is_managers = pair.starts_with("LISTEN_") || pair.starts_with("NOTIFY_SOCKET=") ||
                             pair.starts_with("WATCHDOG_");
    if (!is_managers) out.push_back(*each);
  }
  out.push_back(nullptr);
  return out;
}

// Becomes this program with other arguments; in a child that has just been forked.
[[noreturn]] void become(const std::vector<std::string>& words) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  std::vector<char*> environment = helper_environment();
  const std::string program = own_program();
  ::execve(program.c_str(), argv.data(), environment.data());
  spdlog::critical("signer: cannot run {}: {}", program, base::errno_text(errno));
  ::_exit(kCannotRun);
}

void die_with(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != parent) ::_exit(0);
}

// In the keeper's process to be: the sockets become 3, 4, ..., and nothing else is left open.
void keep_only(const std::vector<base::Fd>& sockets) {
  const int first = kFirstSocket;
  const int end = first + static_cast<int>(sockets.size());
  std::vector<int> out_of_the_way;
  out_of_the_way.reserve(sockets.size());
  for (const base::Fd& socket : sockets) {
    out_of_the_way.push_back(::fcntl(socket.get(), F_DUPFD, end));
  }
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    if (::dup2(out_of_the_way[i], first + static_cast<int>(i)) < 0) ::_exit(kCannotRun);
  }
  ::close_range(static_cast<unsigned>(end), ~0U, 0);
}

base::Result<Answer> wait_for_signer(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  int ready = -1;
  do {
    ready = ::poll(&waiting, 1, static_cast<int>(milliseconds(kStartTime).count()));
  } while (ready < 0 && errno == EINTR);
  std::string buffer(kMaxAnswerBytes, '\0');
  const ssize_t got = ready > 0 ? ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT) : -1;
  if (got <= 0) {
    return base::fail(Code::kIo, Fault::kProxy,
                      ready == 0 ? "the signer does not start" : "the signer ended at its start");
  }
  return read_answer(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
}

struct Arguments {
  bool is_keeper = false;
  std::string ca_dir;
  tls::LeafPoint leaf_key{};
  std::vector<int> sockets;
};

std::optional<Arguments> read_arguments(int argc, const char* const* argv) {
  Arguments out;
  if (argc != 5) return std::nullopt;
  out.is_keeper = argv[1] == kKeeper;
  out.ca_dir = argv[2];
  const auto count = base::parse_decimal(argv[3], kMostSockets);
  const auto point = point_from(argv[4]);
  if (!count || *count == 0 || !point) return std::nullopt;
  out.leaf_key = *point;
  for (int fd = kFirstSocket; fd < kFirstSocket + static_cast<int>(*count); ++fd) {
    int type = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
      return std::nullopt;
    }
    out.sockets.push_back(fd);
  }
  return out;
}

// Signals are for the proxy: the signer is needed as long as that finishes what runs.
void ignore_signals() {
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) std::signal(number, SIG_IGN);
}

[[noreturn]] void run_signer(const Arguments& arguments) {
  ignore_signals();
  std::vector<base::Fd> sockets;
  for (const int fd : arguments.sockets) {
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    sockets.emplace_back(fd);
  }
  // Without what a sanitizer does at an exit: it may not.
  ::_exit(serve(arguments.ca_dir, arguments.leaf_key, std::move(sockets)));
}

int run_once(const std::vector<std::string>& words) {
  const pid_t keeper = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    die_with(keeper);
    become(words);
  }
  if (child < 0) {
    spdlog::error("signer: cannot fork: {}", base::errno_text(errno));
    return -1;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  spdlog::error("signer: ended by signal {}", WTERMSIG(status));
  return -1;
}

[[noreturn]] void run_keeper(const char* const* argv, int argc) {
  ignore_signals();
  sandbox::forbid_memory_dumps();
  if (auto done = sandbox::restrict_system_calls(sandbox::Profile::kKeeper); !done) {
    spdlog::warn("signer: {}", done.error().detail);
  }
  std::vector<std::string> words(argv, argv + argc);
  words[1] = kSigner;
  milliseconds pause{0};
  for (bool is_first = true;; is_first = false) {
    const auto begin = steady_clock::now();
    const int code = run_once(words);
    // It has told the proxy why it cannot serve.
    if (code == 0 || (is_first && code == kUsage)) ::_exit(code);
    const bool has_served = steady_clock::now() - begin > kGoodLife;
    pause = has_served ? milliseconds(0) : std::clamp(2 * pause, kFirstPause, kLongestPause);
    spdlog::error("signer: it has died, and is started again in {} ms", pause.count());
    std::this_thread::sleep_for(pause);
  }
}

}  // namespace

base::Result<Started> start(const std::string& ca_dir, const tls::LeafPoint& leaf_key,
                            std::size_t workers) {
  Started out;
  std::vector<base::Fd> theirs;
  for (std::size_t i = 0; i < workers; ++i) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      return base::fail(Code::kIo, Fault::kProxy, "signer: " + base::errno_text(errno));
    }
    out.sockets.emplace_back(ends[0]);
    theirs.emplace_back(ends[1]);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  }
  const pid_t proxy = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) {
    return base::fail(Code::kIo, Fault::kProxy, "signer: " + base::errno_text(errno));
  }
  if (child == 0) {
    die_with(proxy);
    keep_only(theirs);
    become({"leash", std::string(kKeeper), ca_dir, std::to_string(workers), hex_of(leaf_key)});
  }
  theirs.clear();
  for (const base::Fd& socket : out.sockets) {
    auto answer = wait_for_signer(socket.get());
    if (!answer) return tl::unexpected(std::move(answer.error()));
    if (answer->kind != Answer::Kind::kReady) {
      return base::fail(answer->code, Fault::kProxy, std::move(answer->text));
    }
    out.ca_path = std::move(answer->text);
    out.ca_pem = std::move(answer->pem);
  }
  return out;
}

std::optional<int> run_if_asked(int argc, const char* const* argv) {
  if (argc < 2 || (argv[1] != kKeeper && argv[1] != kSigner)) return std::nullopt;
  const auto arguments = read_arguments(argc, argv);
  if (!arguments) {
    spdlog::critical("signer: started by leash alone");
    return kUsage;
  }
  if (arguments->is_keeper) run_keeper(argv, argc);
  run_signer(*arguments);
}

}  // namespace leash::signer
