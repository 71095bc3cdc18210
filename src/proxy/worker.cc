#include "proxy/worker.h"

#include <utility>

#include "proxy/error_page.h"
#include "proxy/records.h"
#include "proxy/turn_away.h"

namespace leash::proxy {

base::Result<std::unique_ptr<Worker>> Worker::make(Shared& shared, std::size_t index,
                                                   base::Fd signer, signer::Desk::Shared leaves) {
  std::unique_ptr<Worker> worker(new Worker(shared, index));
  if (auto made = worker->init(std::move(signer), leaves); !made)
    return tl::unexpected(made.error());
  return worker;
}

Worker::Worker(Shared& shared, std::size_t index) : shared_(shared), index_(index) {}

base::Result<void> Worker::init(base::Fd signer, signer::Desk::Shared leaves) {
  using Voice = signer::Desk::Voice;
  leaves_ = std::make_unique<signer::Desk>(loop_, std::move(signer), leaves,
                                           index_ == 0 ? Voice::kSpeaks : Voice::kQuiet);
  auto client_tls = tls::make_server_context(*leaves_);
  if (!client_tls) return tl::unexpected(client_tls.error());
  client_tls_ = std::move(*client_tls);
  auto origin_tls = tls::make_client_context(shared_.settings.origin_ca);
  if (!origin_tls) return tl::unexpected(origin_tls.error());
  origin_tls_ = std::move(*origin_tls);
  auto resolver = net::make_resolver(loop_, {});
  if (!resolver) return tl::unexpected(resolver.error());
  resolver_ = std::move(*resolver);
  const config::Limits& limits = shared_.settings.limits;
  pool_ = std::make_unique<OriginPool>(loop_, *origin_tls_, limits, shared_.origin_caps,
                                       shared_.metrics);
  services_ = std::unique_ptr<Services>(new Services{
      .loop = loop_,
      .shared = shared_,
      .pool = *pool_,
      .client_tls = *client_tls_,
      .policy = PolicyGate(loop_, shared_.policy),
      .names = NamesGate(),
      .addresses = AddressGate(*resolver_, shared_.guard, limits.connect_time),
      .intent = IntentGate(loop_, shared_.log, shared_.redactor, shared_.metrics),
      .id_prefix = shared_.run_id + "-" + std::to_string(index_) + "-",
  });
  return {};
}

Worker::~Worker() { stop(); }

void Worker::listen(base::Fd fd) {
  listeners_.push_back(std::make_unique<net::Listener>(
      loop_, std::move(fd),
      [this](base::Fd connection, const net::Peer& peer) { accept(std::move(connection), peer); }));
}

void Worker::run() {
  thread_ = std::thread([this] { loop_.run(); });
}

void Worker::accept(base::Fd fd, const net::Peer& peer) {
  const std::string client = peer.name();
  auto place = shared_.clients.enter(peer.account());
  if (place.answer != ClientCounts::Answer::kTaken) {
    const bool is_total = place.answer == ClientCounts::Answer::kFull;
    count(is_total ? shared_.metrics.limit_connections
                   : shared_.metrics.limit_connections_per_client);
    Refusal refusal{.event = audit::Event::kError,
                    .status = 503,
                    .reason = "too_many_connections",
                    .detail = is_total ? "in all" : "from this client",
                    .must_close = true};
    count_refusal(shared_.metrics, refusal);
    audit::Record record;
    record.event = refusal.event;
    record.client = client;
    fill_reason(record, refusal);
    record.id = services_->next_id();
    record.agent = *record.client;
    shared_.log.append(record);
    turn_away(std::move(fd), answer_for(refusal));
    return;
  }
  auto session =
      std::make_unique<Session>(*services_, std::move(fd), peer, std::move(place), *this);
  Session* raw = session.get();
  sessions_.emplace(raw, std::move(session));
}

void Worker::on_session_done(Session& session) {
  const auto it = sessions_.find(&session);
  if (it == sessions_.end()) return;
  loop_.bury(std::move(it->second));
  sessions_.erase(it);
  if (drained_ && sessions_.empty()) {
    const auto done = std::exchange(drained_, nullptr);
    done();
  }
}

void Worker::recheck() {
  loop_.post([this] {
    // What is in force now: an older one would cut what a newer one has let in since.
    const auto snapshot = shared_.policy.for_decision().snapshot;
    std::vector<Session*> all;
    all.reserve(sessions_.size());
    for (const auto& [session, owned] : sessions_) all.push_back(session);
    for (Session* session : all) {
      if (sessions_.contains(session)) session->recheck(*snapshot);
    }
  });
}

void Worker::drain(std::function<void()> done) {
  loop_.post([this, done = std::move(done)]() mutable {
    services_->is_draining = true;
    listeners_.clear();
    std::vector<Session*> all;
    all.reserve(sessions_.size());
    for (const auto& [session, owned] : sessions_) all.push_back(session);
    for (Session* session : all) {
      if (sessions_.contains(session)) session->drain();
    }
    if (sessions_.empty()) {
      done();
    } else {
      drained_ = std::move(done);
    }
  });
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  loop_.post([this] {
    drained_ = nullptr;
    listeners_.clear();
    std::vector<Session*> all;
    all.reserve(sessions_.size());
    for (const auto& [session, owned] : sessions_) all.push_back(session);
    for (Session* session : all) {
      if (sessions_.contains(session)) session->cut();
    }
    pool_->close_idle();
    // One more turn for what was buried and for what is still to be sent.
    loop_.defer([this] { loop_.stop(); });
  });
  thread_.join();
}

}  // namespace leash::proxy
