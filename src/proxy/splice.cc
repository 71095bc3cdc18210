#include "proxy/splice.h"

#include <utility>

#include "proxy/error_page.h"
#include "tls/client_hello.h"

namespace leash::proxy {
namespace {

using base::Code;
using base::Error;
using base::Fault;

// One side has ended and the other is silent: nobody is left to wait for.
constexpr std::chrono::milliseconds kHalfClosedTime{60'000};

Refusal refused(std::string reason, std::string detail) {
  return Refusal{.reason = std::move(reason), .detail = std::move(detail), .must_close = true};
}

}  // namespace

Splice::Splice(Services& services, Transport& client, Tunnel& tunnel,
               std::vector<base::SocketAddress> addresses, std::shared_ptr<ClientMemory> memory,
               Owner& owner)
    : services_(services),
      client_(client),
      tunnel_(tunnel),
      addresses_(std::move(addresses)),
      owner_(owner),
      timer_(services.loop, [this] { on_timer(); }),
      share_(std::move(memory)),
      last_activity_(services.loop.now()) {
  timer_.start(services.shared.settings.limits.client_handshake_time);
}

void Splice::on_client_bytes(std::string_view bytes) {
  if (is_done_) return;
  touch();
  if (origin_) {
    if (pass(bytes) && weigh() && is_above_mark(*origin_)) client_.pause_reading();
    return;
  }
  hello_.append(bytes);
  if (!weigh()) return;
  if (dialling_) {
    if (hello_.size() > tls::kMaxHelloBytes) client_.pause_reading();
    return;
  }
  const auto hello = tls::peek_client_hello(hello_);
  std::optional<Refusal> refusal;
  if (!hello) {
    refusal = refusal_for(hello.error());
  } else if (!*hello) {
    return;
  } else {
    hello_bytes_ = (*hello)->bytes;
    refusal = judge(**hello);
  }
  if (refusal) {
    is_done_ = true;
    timer_.stop();
    owner_.on_splice_refused(*refusal);
    return;
  }
  if (is_right()) dial();
}

// The hello may have been long in coming, and so may the connection.
bool Splice::is_right() {
  if (owner_.may_splice()) return true;
  is_done_ = true;
  timer_.stop();
  return false;
}

std::optional<Refusal> Splice::judge(const tls::ClientHello& hello) {
  if (hello.has_ech) return refused("ech_refused", "a hidden name cannot be checked");
  if (!hello.sni) return refused("sni_missing", "a spliced tunnel needs its name");
  tunnel_.sni = *hello.sni;
  const auto name = base::Host::parse(*hello.sni);
  if (!name || *name != tunnel_.target.host) return refused("name_mismatch", "sni " + *hello.sni);
  return std::nullopt;
}

bool Splice::pass(std::string_view bytes) {
  if (second_.is_over()) {
    tunnel_.bytes_up += bytes.size();
    origin_->write(bytes);
    return true;
  }
  std::string out;
  const auto passed = second_.on_client(bytes, out);
  std::optional<Refusal> refusal;
  if (!passed) refusal = refusal_for(passed.error());
  if (const auto hello = second_.take()) refusal = judge(*hello);
  if (refusal) {
    close();
    owner_.on_splice_refused(*refusal);
    return false;
  }
  tunnel_.bytes_up += out.size();
  if (!out.empty()) origin_->write(out);
  return true;
}

void Splice::dial() {
  timer_.stop();
  dialling_ = net::dial(services_.loop, addresses_, services_.shared.settings.limits.connect_time,
                        [this](base::Result<net::Dialled> dialled) {
                          services_.loop.bury(std::move(dialling_));
                          if (is_done_) return;
                          if (!dialled) {
                            is_done_ = true;
                            owner_.on_splice_refused(refusal_for(dialled.error()));
                            return;
                          }
                          address_ = dialled->address;
                          if (!is_right()) return;
                          count(services_.shared.metrics.origin_connections);
                          origin_ = std::make_unique<Transport>(services_.loop,
                                                                std::move(dialled->fd), *this);
                          timer_.start(services_.shared.settings.limits.exchange_idle_time);
                          std::string out;
                          second_.begin(std::exchange(hello_, {}), hello_bytes_, out);
                          tunnel_.bytes_up += out.size();
                          origin_->write(out);
                          origin_->resume_reading();
                          client_.resume_reading();
                          if (client_ended_) origin_->finish_writing();
                        });
}

void Splice::on_client_eof() {
  client_ended_ = true;
  if (!origin_) {
    if (!dialling_) finish();
    return;
  }
  origin_->finish_writing();
  if (origin_ended_) finish();
}

void Splice::on_client_drained() {
  touch();
  share_.set(held_bytes());
  if (origin_) origin_->resume_reading();
}

void Splice::on_bytes(std::string_view bytes) {
  touch();
  tunnel_.bytes_down += bytes.size();
  if (!second_.is_over()) {
    second_.on_server(bytes);
    if (!pass({})) return;
  }
  client_.write(bytes);
  if (weigh() && is_above_mark(client_)) origin_->pause_reading();
}

bool Splice::is_above_mark(const Transport& transport) const {
  return transport.queued_bytes() >
         share_.memory().mark(services_.shared.settings.limits.buffer_kb * 1024);
}

std::size_t Splice::held_bytes() const {
  const std::size_t queued = client_.queued_bytes() + (origin_ ? origin_->queued_bytes() : 0);
  return queued + hello_.size() + second_.held_bytes();
}

bool Splice::weigh() {
  share_.set(held_bytes());
  if (share_.memory().level() != ClientMemory::Level::kOver) return true;
  close();
  owner_.on_splice_refused(
      refusal_for(Error{Code::kClientMemory, Fault::kProxy, "of this client's connections"}));
  return false;
}

void Splice::on_eof(End) {
  origin_ended_ = true;
  client_.finish_writing();
  if (client_ended_) finish();
}

void Splice::on_error(Error) { finish(); }

void Splice::on_drained() {
  touch();
  share_.set(held_bytes());
  client_.resume_reading();
}

void Splice::on_timer() {
  if (!origin_) {
    is_done_ = true;
    count(services_.shared.metrics.limit_handshake_time);
    owner_.on_splice_refused(
        refusal_for(Error{Code::kTlsTimeout, Fault::kClient, "no ClientHello"}));
    return;
  }
  const bool is_half_closed = client_ended_ || origin_ended_;
  const auto limit =
      is_half_closed ? kHalfClosedTime : services_.shared.settings.limits.exchange_idle_time;
  const auto idle =
      std::chrono::duration_cast<std::chrono::milliseconds>(services_.loop.now() - last_activity_);
  if (idle >= limit) {
    count(services_.shared.metrics.limit_idle_time);
    finish();
    return;
  }
  timer_.start(std::min(limit - idle, kHalfClosedTime));
}

void Splice::finish() {
  if (is_done_) return;
  close();
  owner_.on_splice_done();
}

void Splice::close() {
  is_done_ = true;
  timer_.stop();
  services_.loop.bury(std::move(dialling_));
  if (origin_) origin_->close_gently();
}

}  // namespace leash::proxy
