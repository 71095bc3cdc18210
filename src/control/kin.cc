#include "control/kin.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/log.h"

namespace leash::control {

using audit::LogWriter;

Kin::Kin(net::Loop& loop, Stand stand) : loop_(loop), stand_(std::move(stand)) {}

void Kin::add_ancestor(base::Fd connection) {
  auto& one = ancestors_.emplace_back(std::make_unique<One>());
  one->connection = std::move(connection);
  one->end = std::make_unique<net::ReadWatch>(loop_, one->connection.get(),
                                              [this, raw = one.get()] { on_readable(raw); });
}

void Kin::add_successor(std::function<void()> done) {
  has_successor_ = true;
  decide(std::move(done));
}

void Kin::lose_successor() {
  has_successor_ = false;
  decide();
}

std::vector<base::Fd> Kin::copies() const {
  std::vector<base::Fd> out;
  for (const auto& one : ancestors_) {
    out.emplace_back(::fcntl(one->connection.get(), F_DUPFD_CLOEXEC, 0));
  }
  return out;
}

// Readable is not ended: an answer may come late.
void Kin::on_readable(One* one) {
  const int fd = one->connection.get();
  char byte = 0;
  const ssize_t got = ::recv(fd, &byte, 1, MSG_DONTWAIT);
  if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return;
  pollfd state{fd, 0, 0};
  if (::poll(&state, 1, 0) == 1 && (state.revents & (POLLHUP | POLLERR)) != 0) {
    on_end(one);
    return;
  }
  // Shut for reading on this side (see Successor::serving): its end cannot be seen here, so it
  // never comes.
  loop_.bury(std::move(one->end));
}

void Kin::on_end(const One* gone) {
  const auto found = std::find_if(ancestors_.begin(), ancestors_.end(),
                                  [gone](const auto& one) { return one.get() == gone; });
  if (found == ancestors_.end()) return;
  loop_.bury(std::move(*found));
  ancestors_.erase(found);
  spdlog::info("upgrade: an old process has ended");
  decide();
}

void Kin::decide(std::function<void()> done) {
  LogWriter::Standing standing = LogWriter::Standing::kAlone;
  if (!ancestors_.empty()) standing = LogWriter::Standing::kNewest;
  if (has_successor_) standing = LogWriter::Standing::kReplaced;
  stand_(standing, std::move(done));
}

}  // namespace leash::control
