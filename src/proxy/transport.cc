#include "proxy/transport.h"

#include <utility>

#include "net/sockaddr.h"
#include "tls/stacked_engine.h"

namespace leash::proxy {
namespace {

constexpr std::size_t kCollectBytes = 16 * 1024;  // one TLS record
constexpr std::chrono::milliseconds kCloseGrace{2000};

}  // namespace

Transport::Transport(net::Loop& loop, base::Fd fd, Handler& handler)
    : loop_(loop),
      handler_(&handler),
      stream_(std::make_unique<net::Stream>(loop, std::move(fd), *this)),
      flush_(loop, [this] { on_turn_end(); }) {}

void Transport::start_tls(std::unique_ptr<tls::Engine> engine, std::string_view first_bytes) {
  if (engine_) {
    engine_ = tls::stack_engines(std::move(engine_), std::move(engine), first_bytes);
    is_established_told_ = false;
    receive({});
    return;
  }
  engine_ = std::move(engine);
  receive(first_bytes);
}

std::optional<base::SocketAddress> Transport::local_address() const {
  return stream_ ? net::local_address(stream_->fd()) : std::nullopt;
}

void Transport::resume_tls(const base::Result<void>& result) {
  if (!stream_) return;
  if (!result) {
    send_output();
    fail(result.error());
    return;
  }
  receive({});
}

void Transport::receive(std::string_view cipher) {
  // The loop outlives us, and what is called from here may destroy our stream.
  struct Lent {
    explicit Lent(net::Loop& lender) : loop(lender), bytes(lender.take_buffer()) {}
    ~Lent() { loop.give_buffer(std::move(bytes)); }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    net::Loop& loop;
    std::string bytes;
  } lent(loop_);
  std::string& plain = lent.bytes;
  const bool was_held = engine_->unsent_bytes() > 0;
  const auto result = engine_->receive(cipher, plain);
  if (!engine_->may_output_wait()) send_output();
  if (!stream_) return;
  if (result && was_held && engine_->unsent_bytes() == 0) {
    is_drain_untold_ = true;
    flush_.schedule();
  }
  if (engine_->is_established() && !is_established_told_) {
    is_established_told_ = true;
    handler_->on_established();
    if (!stream_) return;
  }
  if (!plain.empty()) {
    handler_->on_bytes(plain);
    if (!stream_) return;
  }
  if (!result) {
    fail(result.error());
    return;
  }
  if (engine_->is_finished_by_peer() && !ended_) {
    ended_ = true;
    handler_->on_eof(End::kClean);
  }
}

void Transport::fail(base::Error error) {
  if (!stream_) return;
  // The alert goes out before the connection ends.
  net::Stream::close_gently(std::move(stream_), kCloseGrace, companion_);
  handler_->on_error(std::move(error));
}

void Transport::send_output() {
  if (!engine_ || !stream_) return;
  std::string& output = engine_->output();
  if (output.empty()) return;
  stream_->write(output);
  loop_.give_buffer(std::exchange(output, {}));
}

void Transport::write(std::string_view plain) {
  if (!stream_) return;
  if (plain_.empty() && plain.size() >= kCollectBytes) {
    if (engine_) {
      encrypt(plain);
    } else {
      stream_->write(plain);
    }
    return;
  }
  if (plain_.empty()) plain_ = loop_.take_buffer();
  plain_.append(plain);
  if (plain_.size() >= kCollectBytes) {
    flush();
  } else {
    flush_.schedule();
  }
}

void Transport::flush() {
  if (plain_.empty() || !stream_) return;
  if (engine_) {
    if (engine_->output().empty()) engine_->output() = loop_.take_buffer();
    encrypt(plain_);
  } else {
    stream_->write(plain_);
  }
  loop_.give_buffer(std::exchange(plain_, {}));
}

// A failure is told behind the turn: whoever writes does not expect to be called from there.
void Transport::encrypt(std::string_view plain) {
  if (auto sent = engine_->send(plain); !sent) {
    broken_ = std::move(sent.error());
    flush_.schedule();
    return;
  }
  send_output();
}

void Transport::on_turn_end() {
  flush();
  if (broken_ && stream_) {
    fail(std::move(*broken_));
  } else {
    tell_drained();
  }
}

std::size_t Transport::queued_bytes() const {
  return plain_.size() + (stream_ ? stream_->queued_bytes() : 0) +
         (engine_ ? engine_->unsent_bytes() : 0);
}

void Transport::pause_reading() {
  if (stream_) stream_->pause_reading();
}

void Transport::resume_reading() {
  if (stream_) stream_->resume_reading();
}

void Transport::finish_writing() {
  if (!stream_) return;
  flush();
  if (engine_ && engine_->is_established()) {
    engine_->finish();
    send_output();
  }
  stream_->finish_writing();
}

void Transport::close_gently() {
  if (!stream_) return;
  flush();
  if (engine_ && engine_->is_established()) {
    engine_->finish();
    send_output();
  }
  if (engine_ && engine_->is_finished_by_peer() && stream_->queued_bytes() == 0) {
    // After its close_notify the peer sends nothing that would reset what is on the way to it.
    close();
    return;
  }
  net::Stream::close_gently(std::move(stream_), kCloseGrace, companion_);
}

void Transport::close() {
  if (!stream_) return;
  flush();  // what was said before the end is the peer's; a TLS end without close_notify stays a
            // cut
  stream_->close();
  loop_.bury(std::move(stream_));
}

void Transport::trim() {
  if (engine_) engine_->trim();
}

void Transport::on_bytes(std::string_view bytes) {
  if (engine_) {
    receive(bytes);
  } else {
    handler_->on_bytes(bytes);
  }
}

void Transport::on_eof() {
  if (ended_) return;
  ended_ = true;
  if (engine_ && !engine_->is_established()) {
    fail(base::Error{base::Code::kClosedEarly, base::Fault::kClient,
                     "closed during the TLS handshake"});
    return;
  }
  handler_->on_eof(engine_ ? End::kTruncated : End::kClean);
}

void Transport::on_error(base::Error error) {
  loop_.bury(std::move(stream_));
  handler_->on_error(std::move(error));
}

void Transport::on_drained() {
  is_drain_untold_ = true;
  tell_drained();
}

void Transport::tell_drained() {
  if (!is_drain_untold_ || !stream_ || queued_bytes() > 0) return;
  is_drain_untold_ = false;
  handler_->on_drained();
}

}  // namespace leash::proxy
