#include "proxy/transport.h"

#include <utility>

namespace leash::proxy {
namespace {

constexpr std::size_t kCollectBytes = 16 * 1024;  // one TLS record
constexpr std::chrono::milliseconds kCloseGrace{2000};

}  // namespace

Transport::Transport(net::Loop& loop, base::Fd fd, Handler& handler)
    : loop_(loop),
      handler_(&handler),
      stream_(std::make_unique<net::Stream>(loop, std::move(fd), *this)) {}

void Transport::start_tls(std::unique_ptr<tls::Engine> engine, std::string_view first_bytes) {
  engine_ = std::move(engine);
  receive(first_bytes);
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
  std::string plain;
  const auto result = engine_->receive(cipher, plain);
  send_output();
  if (!stream_) return;
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
  net::Stream::close_gently(std::move(stream_), kCloseGrace);
  handler_->on_error(std::move(error));
}

void Transport::send_output() {
  if (!engine_ || !stream_) return;
  std::string& output = engine_->output();
  if (output.empty()) return;
  stream_->write(output);
  output.clear();
}

void Transport::write(std::string_view plain) {
  if (!stream_) return;
  if (plain_.empty() && plain.size() >= kCollectBytes) {
    if (engine_) {
      if (!engine_->send(plain)) return;  // the read side tells of it
      send_output();
    } else {
      stream_->write(plain);
    }
    return;
  }
  plain_.append(plain);
  if (plain_.size() >= kCollectBytes) {
    flush();
  } else {
    schedule_flush();
  }
}

void Transport::schedule_flush() {
  if (flush_scheduled_) return;
  flush_scheduled_ = true;
  loop_.defer([self = self_] {
    if (*self == nullptr) return;
    (*self)->flush_scheduled_ = false;
    (*self)->flush();
  });
}

void Transport::flush() {
  if (plain_.empty() || !stream_) return;
  if (engine_) {
    if (engine_->send(plain_)) send_output();
  } else {
    stream_->write(plain_);
  }
  plain_.clear();
  if (plain_.capacity() > 4 * kCollectBytes) plain_.shrink_to_fit();
}

std::size_t Transport::queued_bytes() const {
  return plain_.size() + (stream_ ? stream_->queued_bytes() : 0);
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
  net::Stream::close_gently(std::move(stream_), kCloseGrace);
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
  if (plain_.empty()) plain_.shrink_to_fit();
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
  if (plain_.empty()) handler_->on_drained();
}

}  // namespace leash::proxy
