#include "signer/service.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/log.h"
#include "base/text.h"
#include "sandbox/landlock.h"
#include "sandbox/process.h"
#include "sandbox/system_calls.h"
#include "signer/rate.h"
#include "signer/wire.h"

namespace leash::signer {
namespace {

constexpr int kNoCa = 2;

// Never waits: a proxy that does not read its answers does without.
void send_answer(int fd, std::string_view answer) {
  (void)::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void confine() {
  if (sandbox::landlock_abi() > 0) {
    if (auto done = sandbox::restrict_files({}, sandbox::Reach::kOwnProcess); !done) {
      spdlog::warn("signer: {}", done.error().detail);
    }
  }
  if (auto done = sandbox::restrict_system_calls(sandbox::Profile::kSigner); !done) {
    spdlog::warn("signer: {}", done.error().detail);
  }
}

class Service {
 public:
  Service(tls::Issuer& issuer, std::vector<base::Fd> sockets)
      : issuer_(issuer), sockets_(std::move(sockets)) {}

  void run() {
    std::vector<pollfd> waiting;
    for (;;) {
      waiting.clear();
      for (const base::Fd& socket : sockets_) {
        if (socket.is_open()) waiting.push_back({socket.get(), POLLIN, 0});
      }
      if (waiting.empty()) return;
      if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) return;
      std::size_t next = 0;
      // One message of each worker in turn: none has to wait for all that another wants.
      for (base::Fd& socket : sockets_) {
        if (!socket.is_open()) continue;
        if (waiting[next++].revents != 0) take_one(socket);
      }
    }
  }

 private:
  void take_one(base::Fd& socket) {
    std::array<char, kMaxRequestBytes + 1> buffer{};
    const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      socket.reset();
      return;
    }
    for (;;) {
      const auto wait = rate_.take(std::chrono::steady_clock::now());
      if (wait.count() == 0) break;
      std::this_thread::sleep_for(wait);
    }
    send_answer(socket.get(),
                answer_to(issuer_, std::string_view(buffer.data(), static_cast<std::size_t>(got))));
  }

  tls::Issuer& issuer_;
  std::vector<base::Fd> sockets_;
  Rate rate_{std::chrono::steady_clock::now()};
};

}  // namespace

std::string answer_to(tls::Issuer& issuer, std::string_view message) {
  Answer answer;
  answer.kind = Answer::Kind::kRefused;
  const auto request = read_request(message);
  if (!request) {
    answer.code = request.error().code;
    answer.text = request.error().text();
    return write_answer(answer);
  }
  answer.id = request->id;
  auto leaf = issuer.issue(request->host);
  if (!leaf) {
    answer.code = leaf.error().code;
    answer.text = leaf.error().detail;
    return write_answer(answer);
  }
  answer.kind = Answer::Kind::kLeaf;
  answer.leaf = std::move(*leaf);
  return write_answer(answer);
}

int serve(const std::string& ca_dir, const tls::LeafPoint& leaf_key,
          std::vector<base::Fd> sockets) {
  sandbox::forbid_memory_dumps();
  Answer answer;
  auto issuer = tls::open_issuer(ca_dir, leaf_key);
  if (!issuer) {
    answer.kind = Answer::Kind::kFailed;
    answer.code = issuer.error().code;
    answer.text = issuer.error().detail;
  } else {
    answer.text = (*issuer)->certificate_path();
    answer.pem = (*issuer)->certificate_pem();
  }
  const std::string message = write_answer(answer);
  if (issuer) confine();
  for (const base::Fd& socket : sockets) send_answer(socket.get(), message);
  if (!issuer) return kNoCa;
  Service(**issuer, std::move(sockets)).run();
  return 0;
}

}  // namespace leash::signer
