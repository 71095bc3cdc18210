#include "proxy/server.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <atomic>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "net/listener.h"
#include "tls/digest.h"
#include "tls/signing_key.h"

namespace leash::proxy {
namespace {

audit::Durability durability_of(config::Durability durability) {
  switch (durability) {
    case config::Durability::kWrite:
      return audit::Durability::kWrite;
    case config::Durability::kSync:
      return audit::Durability::kSync;
    case config::Durability::kAsync:
      return audit::Durability::kAsync;
  }
  return audit::Durability::kWrite;
}

// What a listener on a wildcard address stands for.
std::vector<base::IpAddress> local_addresses() {
  std::vector<base::IpAddress> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return found;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    if (each->ifa_addr->sa_family == AF_INET) {
      sockaddr_in in{};
      std::memcpy(&in, each->ifa_addr, sizeof in);
      found.push_back(base::IpAddress::v4(ntohl(in.sin_addr.s_addr)));
    } else if (each->ifa_addr->sa_family == AF_INET6) {
      sockaddr_in6 in6{};
      std::memcpy(&in6, each->ifa_addr, sizeof in6);
      std::array<std::uint8_t, 16> bytes{};
      std::memcpy(bytes.data(), &in6.sin6_addr, bytes.size());
      found.push_back(base::IpAddress::v6(bytes));
    }
  }
  ::freeifaddrs(list);
  return found;
}

void report(const config::Finding& finding) {
  const auto level = finding.is_error ? spdlog::level::err : spdlog::level::warn;
  if (finding.line > 0) {
    spdlog::log(level, "policy: {}:{}: {}", finding.file, finding.line, finding.text);
  } else {
    spdlog::log(level, "policy: {}: {}", finding.file, finding.text);
  }
}

audit::Record finding_record(const config::Finding& finding) {
  audit::Record record;
  record.event = audit::Event::kPolicyError;
  record.reason = finding.text;
  record.extra.emplace_back("file", finding.file);
  if (finding.line > 0) record.extra_numbers.emplace_back("line", finding.line);
  return record;
}

}  // namespace

base::Result<std::unique_ptr<Server>> Server::make(const config::Settings& settings) {
  std::unique_ptr<Server> server(new Server(settings));
  if (auto made = server->init(); !made) return tl::unexpected(made.error());
  return server;
}

Server::Server(const config::Settings& settings)
    : settings_(settings),
      captures_(settings.limits.capture_mb * 1024 * 1024),
      clients_(settings.limits.connections, settings.limits.connections_per_client) {}

Server::~Server() { stop(); }

base::Result<void> Server::init() {
  auto issuer = tls::open_issuer(settings_.ca_dir);
  if (!issuer) return tl::unexpected(issuer.error());
  issuer_ = std::move(*issuer);
  leaves_ = tls::make_leaf_cache(*issuer_, settings_.limits.leaves);
  // Each worker makes its own; here it is a mistake in the settings that is looked for.
  if (auto roots = tls::make_client_context(settings_.origin_ca); !roots)
    return tl::unexpected(roots.error());
  if (auto bound = bind(); !bound) return bound;
  auto key = tls::SigningKey::open(settings_.ca_dir);
  if (!key) return tl::unexpected(key.error());
  audit::LogWriter::Options options;
  options.path = settings_.log;
  options.durability = durability_of(settings_.durability);
  options.sign = [key = *key](std::string_view bytes) {
    const tls::Signature signature = key.sign(bytes);
    return std::string(signature.begin(), signature.end());
  };
  options.key_id = key->public_key().id();
  auto log = audit::LogWriter::open(std::move(options));
  if (!log) return tl::unexpected(log.error());
  log_ = std::move(*log);
  // Ed25519 is deterministic, so this secret is the same at each start, and equal secrets stay
  // comparable over restarts.
  const tls::Signature secret = key->sign("leash redaction key v1");
  redactor_ = std::make_unique<audit::Redactor>(
      settings_.keeps_secrets ? audit::Redactor::Secrets::kKeep : audit::Redactor::Secrets::kRedact,
      std::string(secret.begin(), secret.end()));
  policy_ = std::make_unique<config::PolicyFiles>(
      settings_.policy_dir,
      [this](const config::PolicyFiles::Change& change) { on_policy_change(change); });
  return {};
}

base::Result<void> Server::bind() {
  bound_.resize(settings_.workers);
  for (const base::SocketAddress& wanted : settings_.listen) {
    auto first = net::listen_tcp(wanted, net::Exclusive::kYes);
    if (!first) return tl::unexpected(first.error());
    const base::SocketAddress address = first->address;
    bound_[0].push_back(std::move(first->fd));
    for (std::size_t i = 1; i < settings_.workers; ++i) {
      auto next = net::listen_tcp(address, net::Exclusive::kNo);
      if (!next) return tl::unexpected(next.error());
      bound_[i].push_back(std::move(next->fd));
    }
    listening_.push_back(address);
  }
  own_ = listening_;
  return {};
}

void Server::add_own_listener(const base::SocketAddress& address) { own_.push_back(address); }

void Server::record_start() {
  const auto current = policy_->current();
  audit::Record start;
  start.event = audit::Event::kStart;
  start.extra.emplace_back("version", LEASH_VERSION);
  start.extra.emplace_back("run", shared_->run_id);
  start.extra.emplace_back("mode", std::string(policy::word(current.snapshot->mode)));
  log_->append(start);
  // As the original: the process begins in enforce, so another mode on disk is a change.
  if (current.snapshot->mode != policy::Mode::kEnforce) {
    audit::Record mode;
    mode.event = audit::Event::kModeChange;
    mode.extra.emplace_back("previous", "enforce");
    mode.extra.emplace_back("mode", std::string(policy::word(current.snapshot->mode)));
    log_->append(mode);
  }
  for (const config::Finding& finding : policy_->findings()) {
    report(finding);
    if (finding.is_error) log_->append(finding_record(finding));
  }
}

void Server::run() {
  guard_ =
      std::make_unique<policy::AddressGuard>(settings_.origin_networks, own_, local_addresses());
  std::string run_id;
  base::append_hex(run_id, tls::random_bytes(4));
  shared_ = std::unique_ptr<Shared>(new Shared{.settings = settings_,
                                               .policy = *policy_,
                                               .log = *log_,
                                               .redactor = *redactor_,
                                               .captures = captures_,
                                               .leaves = *leaves_,
                                               .guard = *guard_,
                                               .clients = clients_,
                                               .metrics = metrics_,
                                               .run_id = run_id});
  record_start();
  const std::scoped_lock lock(workers_mutex_);
  is_running_ = true;
  for (std::size_t i = 0; i < settings_.workers; ++i) {
    auto worker = Worker::make(*shared_, i);
    if (!worker) {
      spdlog::critical("cannot start worker {}: {}", i, worker.error().text());
      std::exit(1);
    }
    for (base::Fd& fd : bound_[i]) (*worker)->listen(std::move(fd));
    workers_.push_back(std::move(*worker));
  }
  for (const auto& worker : workers_) worker->run();
}

void Server::on_policy_change(const config::PolicyFiles::Change& change) {
  if (change.before->mode != change.after->mode) {
    audit::Record mode;
    mode.event = audit::Event::kModeChange;
    mode.extra.emplace_back("previous", std::string(policy::word(change.before->mode)));
    mode.extra.emplace_back("mode", std::string(policy::word(change.after->mode)));
    log_->append(mode);
  }
  if (change.before->generation != change.after->generation) {
    audit::Record record;
    record.event = audit::Event::kPolicyChange;
    std::string files;
    for (const std::string& file : change.files) files += (files.empty() ? "" : ", ") + file;
    record.extra.emplace_back("files", files);
    record.extra_numbers.emplace_back("enforce_entries",
                                      static_cast<std::int64_t>(change.after->enforce->size()));
    record.extra_numbers.emplace_back("blocklist_entries",
                                      static_cast<std::int64_t>(change.after->blocklist->size()));
    log_->append(record);
    spdlog::info("policy: {} read anew, mode {}", files, policy::word(change.after->mode));
  }
  for (const config::Finding& finding : change.new_findings) {
    report(finding);
    log_->append(finding_record(finding));
  }
  const std::scoped_lock lock(workers_mutex_);
  for (const auto& worker : workers_) worker->recheck(change.after);
}

void Server::recheck_policy() { (void)policy_->current(); }

void Server::reopen_log() { log_->reopen(); }

void Server::drain(const std::function<void()>& done) {
  auto left = std::make_shared<std::atomic<std::size_t>>(workers_.size());
  for (const auto& worker : workers_) {
    worker->drain([left, done] {
      if (left->fetch_sub(1) == 1) done();
    });
  }
}

void Server::stop() {
  if (!is_running_) return;
  is_running_ = false;
  for (const auto& worker : workers_) worker->stop();
  {
    const std::scoped_lock lock(workers_mutex_);
    workers_.clear();
  }
  audit::Record stop;
  stop.event = audit::Event::kStop;
  stop.extra.emplace_back("run", shared_->run_id);
  log_->append(stop);
  log_.reset();
}

}  // namespace leash::proxy
