#include "signer/desk.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace leash::signer {
namespace {

base::Error unavailable(std::string detail) {
  return {base::Code::kSignerUnavailable, base::Fault::kProxy, std::move(detail)};
}

}  // namespace

Desk::Desk(net::Loop& loop, base::Fd socket, Shared shared, Voice voice,
           std::chrono::milliseconds patience)
    : loop_(loop),
      socket_(std::move(socket)),
      shared_(shared),
      voice_(voice),
      patience_(patience),
      buffer_(kMaxAnswerBytes, '\0'),
      late_(loop, [this] { on_late(); }),
      readable_(std::make_unique<net::ReadWatch>(loop, socket_.get(), [this] { on_readable(); })) {}

void Desk::leaf_for(const base::Host& host, Done done) {
  if (auto leaf = shared_.cache.find(host)) {
    done(std::move(leaf));
    return;
  }
  if (const auto wish = by_name_.find(host.text()); wish != by_name_.end()) {
    wish->second->askers.push_back(std::move(done));
    return;
  }
  if (!lost_.empty() || wishes_.size() >= kMostWaiting) {
    ++shared_.counts.failed;
    done(
        tl::unexpected(unavailable(!lost_.empty() ? lost_ : "too many names wait for the signer")));
    return;
  }
  wishes_.push_back({host, ++last_id_, false, loop_.now() + patience_, {}});
  wishes_.back().askers.push_back(std::move(done));
  by_name_.emplace(host.text(), std::prev(wishes_.end()));
  if (!late_.is_running()) late_.start(patience_);
  send_some();
}

// Where the socket has no room, the answers that come make some.
void Desk::send_some() {
  if (sent_ == wishes_.size()) return;
  for (Wish& wish : wishes_) {
    if (sent_ >= kMostSent) return;
    if (wish.is_sent) continue;
    const std::string message = write_request({wish.id, wish.host});
    if (::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
      return;
    }
    wish.is_sent = true;
    ++sent_;
  }
}

void Desk::on_readable() {
  for (;;) {
    const ssize_t got = ::recv(socket_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    if (got <= 0) {
      lose_signer("the signer has ended for good; leash must be started anew");
      return;
    }
    auto answer = read_answer(std::string_view(buffer_).substr(0, static_cast<std::size_t>(got)));
    if (!answer) {
      lose_signer("the signer sends what is no answer");
      return;
    }
    on_answer(std::move(*answer));
    if (!lost_.empty()) return;
  }
  send_some();
}

void Desk::on_answer(Answer answer) {
  if (answer.kind == Answer::Kind::kReady) {
    on_ready(answer);
    return;
  }
  if (answer.kind == Answer::Kind::kFailed) {
    if (voice_ == Voice::kSpeaks) spdlog::error("signer: {}", answer.text);
    return;  // its keeper tries again
  }
  for (auto wish = wishes_.begin(); wish != wishes_.end(); ++wish) {
    if (wish->id != answer.id) continue;
    if (answer.kind == Answer::Kind::kRefused) {
      finish(wish, tl::unexpected(base::Error{answer.code, base::Fault::kProxy, answer.text}));
      return;
    }
    auto leaf = shared_.assembler.assemble(wish->host, answer.leaf);
    if (leaf) shared_.cache.keep(wish->host, *leaf);
    finish(wish, leaf);
    return;
  }
}

// A new signer, which knows nothing of what the old one was asked.
void Desk::on_ready(const Answer& answer) {
  if (answer.pem != shared_.ca_pem) {
    lose_signer("the CA on disk is another one; leash must be started anew");
    return;
  }
  if (voice_ == Voice::kSpeaks) {
    spdlog::warn("signer: there is a new one");
    ++shared_.counts.restarts;
  }
  for (Wish& wish : wishes_) wish.is_sent = false;
  sent_ = 0;
}

void Desk::on_late() {
  const auto now = loop_.now();
  while (!wishes_.empty() && wishes_.front().until <= now) {
    finish(wishes_.begin(), tl::unexpected(unavailable("the signer does not answer")));
  }
  if (wishes_.empty()) return;
  late_.start(std::chrono::ceil<std::chrono::milliseconds>(wishes_.front().until - now));
  send_some();
}

void Desk::lose_signer(std::string why) {
  if (voice_ == Voice::kSpeaks) spdlog::critical("{}", why);
  shared_.counts.is_gone = true;
  lost_ = std::move(why);
  loop_.bury(std::move(readable_));
  while (!wishes_.empty()) finish(wishes_.begin(), tl::unexpected(unavailable(lost_)));
}

void Desk::finish(Wishes::iterator wish,
                  const base::Result<std::shared_ptr<const tls::Leaf>>& result) {
  ++(result ? shared_.counts.minted : shared_.counts.failed);
  if (wish->is_sent) --sent_;
  const std::vector<Done> askers = std::move(wish->askers);
  by_name_.erase(wish->host.text());
  wishes_.erase(wish);
  for (const Done& done : askers) done(result);
}

}  // namespace leash::signer
