#include "proxy/server.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "audit/socket_sink.h"
#include "audit/syslog_sink.h"
#include "base/log.h"
#include "base/text.h"
#include "tls/digest.h"

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

// One that comes later could not be written to: what leash may write is what is there when it
// starts. Where it cannot be made, the writer says so.
void make_folder_of(const std::string& log) {
  constexpr mode_t kMode = 0750;
  const std::size_t slash = log.rfind('/');
  if (slash == std::string::npos || slash == 0) return;
  const std::string folder = log.substr(0, slash);
  if (::mkdir(folder.c_str(), kMode) == 0) spdlog::info("made {} for the log", folder);
}

base::Fd copy_of(const base::Fd& fd) { return base::Fd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)); }

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

// The kernel's limit on descriptors cuts the settings': a half for clients, a half for origins, and
// some for the log, DNS and the loops, so that running out never stops those.
Server::Descriptors descriptors_for(const config::Settings& settings) {
  constexpr std::size_t kReserved = 64;
  constexpr std::size_t kReservedPerWorker = 8;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = 1024;
  const std::size_t reserved = kReserved + kReservedPerWorker * settings.workers;
  const std::size_t left = limit.rlim_cur > reserved + 16 ? limit.rlim_cur - reserved : 16;
  const Server::Descriptors out{std::min(settings.limits.connections, left / 2),
                                std::min(settings.limits.origin_connections, left / 2)};
  if (out.clients < settings.limits.connections) {
    spdlog::info("{} descriptors are allowed: at most {} clients' and {} origins' connections",
                 limit.rlim_cur, out.clients, out.origins);
  }
  return out;
}

// Workers share nothing, so each has its part; one client's connections do not fall on all alike.
OriginPool::Caps caps_of_worker(std::size_t all, const config::Settings& settings) {
  const std::size_t workers = std::max<std::size_t>(settings.workers, 1);
  const std::size_t part = std::max<std::size_t>(all / workers, 1);
  const std::size_t agent = settings.limits.origin_connections_per_client;
  const std::size_t agent_part = workers == 1 ? agent : agent / workers + agent / 4;
  return {part, std::clamp<std::size_t>(agent_part, 1, std::max<std::size_t>(part * 3 / 4, 1))};
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

base::Result<std::unique_ptr<Server>> Server::make(const config::Settings& settings,
                                                   Inheritance inheritance) {
  std::unique_ptr<Server> server(new Server(settings));
  if (auto made = server->init(std::move(inheritance)); !made) return tl::unexpected(made.error());
  return server;
}

Server::Server(const config::Settings& settings)
    : settings_(settings),
      descriptors_(descriptors_for(settings)),
      clients_({.total = descriptors_.clients,
                .per_client = settings.limits.connections_per_client,
                .memory_per_client_bytes = settings.limits.client_memory_mb * 1024 * 1024,
                .capture_bytes = settings.limits.capture_mb * 1024 * 1024}),
      names_(settings.proxy_names) {}

Server::~Server() { stop(); }

base::Result<void> Server::init(Inheritance inheritance) {
  if (auto started = start_signer(); !started) return started;
  // Each worker makes its own; here it is a mistake in the settings that is looked for.
  if (auto roots = tls::make_client_context(settings_.origin_ca); !roots)
    return tl::unexpected(roots.error());
  predecessor_ = inheritance.run_id;
  if (auto made = make_turn(inheritance.turn); !made) return made;
  if (auto bound = bind_audit_socket(std::move(inheritance.audit_socket)); !bound) return bound;
  if (auto bound = bind(std::move(inheritance)); !bound) return bound;
  auto key = tls::SigningKey::open(settings_.ca_dir);
  if (!key) return tl::unexpected(key.error());
  key_ = std::move(*key);
  make_folder_of(settings_.log);
  return {};
}

base::Result<void> Server::open() {
  audit::LogWriter::Options options;
  options.path = settings_.log;
  options.durability = durability_of(settings_.durability);
  options.sign = [key = *key_](std::string_view bytes) {
    const tls::Signature signature = key.sign(bytes);
    return std::string(signature.begin(), signature.end());
  };
  options.key_id = key_->public_key().id();
  options.rotate_bytes = settings_.log_max_mb * 1024 * 1024;
  options.rotate_keep = settings_.log_keep;
  make_sinks();
  options.sinks = sinks_;
  options.turn = turn_;
  options.is_shared = !predecessor_.empty();
  // What another process is still at is not left open.
  if (predecessor_.empty()) left_open_ = audit::find_left_open(settings_.log);
  auto log = audit::LogWriter::open(std::move(options));
  if (!log) return tl::unexpected(log.error());
  log_ = std::move(*log);
  // Ed25519 is deterministic, so this secret is the same at each start, and equal secrets stay
  // comparable over restarts.
  const tls::Signature secret = key_->sign("leash redaction key v1");
  redactor_ = std::make_unique<audit::Redactor>(
      settings_.keeps_secrets ? audit::Redactor::Secrets::kKeep : audit::Redactor::Secrets::kRedact,
      std::string(secret.begin(), secret.end()));
  policy_ = std::make_unique<config::PolicyFiles>(
      settings_.policy_dir,
      [this](const config::PolicyFiles::Change& change) { on_policy_change(change); });
  return {};
}

base::Result<void> Server::start_signer() {
  auto key = tls::LeafKey::make();
  if (!key) return tl::unexpected(key.error());
  auto started = signer::start(settings_.ca_dir, key->point(), settings_.workers);
  if (!started) return tl::unexpected(started.error());
  signer_ = std::move(*started);
  auto assembler = tls::LeafAssembler::make(std::move(*key), signer_.ca_pem);
  if (!assembler) return tl::unexpected(assembler.error());
  assembler_ = std::move(*assembler);
  leaves_ = std::make_unique<tls::LeafCache>(settings_.limits.leaves);
  return {};
}

// Without it there is no upgrade, and nothing else is missing.
base::Result<void> Server::make_turn(const base::Fd& theirs) {
  auto turn = theirs.is_open() ? audit::LogTurn::join(theirs) : audit::LogTurn::make();
  if (turn) turn_ = std::make_shared<const audit::LogTurn>(std::move(*turn));
  if (turn || !theirs.is_open()) return {};
  return tl::unexpected(turn.error());
}

base::Result<void> Server::bind_audit_socket(base::Fd held) {
  if (settings_.audit_socket.empty()) return {};
  if (held.is_open()) {
    const auto where = net::endpoint_of(held.get());
    if (where && where->path == settings_.audit_socket) {
      audit_socket_ = net::BoundUnix{std::move(held), {}};
      held_files_.push_back(where->path);
      return {};
    }
  }
  auto bound = net::listen_unix(settings_.audit_socket);
  if (!bound) return tl::unexpected(std::move(bound.error()));
  audit_socket_ = std::move(*bound);
  return {};
}

void Server::make_sinks() {
  if (audit_socket_) kept_audit_socket_ = copy_of(audit_socket_->fd);
  if (settings_.syslog) sinks_.push_back(std::make_shared<audit::SyslogSink>(*settings_.syslog));
  if (audit_socket_) {
    sinks_.push_back(std::make_shared<audit::SocketSink>(
        std::move(audit_socket_->fd), settings_.audit_socket, audit::SocketSink::Limits{}));
  }
}

base::Result<void> Server::bind(Inheritance inheritance) {
  bound_.resize(settings_.workers);
  is_activated_ = inheritance.is_activated;
  std::vector<base::Fd>& held = inheritance.listeners;
  if (is_activated_) {
    for (base::Fd& fd : held) {
      if (auto done = adopt(std::move(fd)); !done) return done;
    }
    return {};
  }
  for (const base::Endpoint& wanted : settings_.listen) {
    if (use_held(wanted, held)) continue;
    auto done = wanted.is_unix() ? bind_unix(wanted.path) : bind_tcp(wanted.tcp);
    if (!done) return done;
  }
  return {};
}

// Sockets of the process before for this address, whatever it called its port when that was 0. What
// waits in one of them is served, so each has a worker.
bool Server::use_held(const base::Endpoint& wanted, std::vector<base::Fd>& held) {
  std::optional<base::Endpoint> found;
  std::size_t next = 0;
  for (base::Fd& fd : held) {
    if (!fd.is_open()) continue;
    const auto where = net::endpoint_of(fd.get());
    if (!where || where->is_unix() != wanted.is_unix() || where->path != wanted.path) continue;
    const bool is_any = found ? where->tcp == found->tcp : wanted.tcp.port == 0;
    if (where->tcp.ip != wanted.tcp.ip || (where->tcp.port != wanted.tcp.port && !is_any)) continue;
    if (!found) found = *where;
    if (wanted.is_unix()) {
      held_files_.push_back(where->path);
      listening_.push_back(*where);
      return share(std::move(fd)).has_value();
    }
    give(next++ % settings_.workers, std::move(fd));
  }
  if (!found) return false;
  // More workers share what there is: the kernel would queue clients in a further socket at once,
  // and lose them should this process not get as far as serving them.
  for (std::size_t from = 0; next < settings_.workers; ++next, ++from) {
    base::Fd copy(::fcntl(bound_[from].back().get(), F_DUPFD_CLOEXEC, 0));
    if (!copy.is_open()) break;  // a worker without one has less to do
    bound_[next].push_back(std::move(copy));
  }
  listening_.push_back(*found);
  own_.push_back(found->tcp);
  return true;
}

base::Result<void> Server::bind_tcp(const base::SocketAddress& wanted) {
  auto first = net::listen_tcp(wanted, net::Exclusive::kYes);
  if (!first) return tl::unexpected(first.error());
  const base::SocketAddress address = first->address;
  give(0, std::move(first->fd));
  for (std::size_t i = 1; i < settings_.workers; ++i) {
    auto next = net::listen_tcp(address, net::Exclusive::kNo);
    if (!next) return tl::unexpected(next.error());
    give(i, std::move(next->fd));
  }
  listening_.push_back({.tcp = address, .path = {}});
  own_.push_back(address);
  return {};
}

base::Result<void> Server::bind_unix(const std::string& path) {
  auto bound = net::listen_unix(path);
  if (!bound) return tl::unexpected(bound.error());
  socket_files_.push_back(std::move(bound->file));
  listening_.push_back({.tcp = {}, .path = path});
  return share(std::move(bound->fd));
}

// Its file, if it has one, belongs to whoever has bound it.
base::Result<void> Server::adopt(base::Fd fd) {
  auto where = net::endpoint_of(fd.get());
  if (!where) return tl::unexpected(where.error());
  if (!where->is_unix()) {
    own_.push_back(where->tcp);
    // It may take IPv4 as well.
    if (where->tcp.ip == base::IpAddress::v6({})) {
      own_.push_back({.ip = base::IpAddress::v4(0), .port = where->tcp.port});
    }
  }
  listening_.push_back(std::move(*where));
  return share(std::move(fd));
}

// Unix sockets have no SO_REUSEPORT, inherited ones are bound already: the workers share one queue
// of connections.
base::Result<void> Server::share(base::Fd fd) {
  for (std::size_t i = 1; i < settings_.workers; ++i) {
    base::Fd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy.is_open()) {
      return base::fail(base::Code::kIo, base::Fault::kProxy,
                        "cannot listen: " + base::errno_text(errno));
    }
    bound_[i].push_back(std::move(copy));
  }
  give(0, std::move(fd));
  return {};
}

// To one worker; and a copy for a successor.
void Server::give(std::size_t worker, base::Fd fd) {
  kept_.push_back(copy_of(fd));
  bound_[worker].push_back(std::move(fd));
}

void Server::add_own_listener(const base::SocketAddress& address) { own_.push_back(address); }

void Server::record_start(const std::vector<std::pair<std::string, std::string>>& about) {
  const auto current = policy_->current();
  audit::Record start;
  start.event = audit::Event::kStart;
  start.extra.emplace_back("version", LEASH_VERSION);
  start.extra.emplace_back("run", shared_->run_id);
  start.extra.emplace_back("mode", std::string(policy::word(current.snapshot->mode)));
  if (!predecessor_.empty()) start.extra.emplace_back("takes_over", predecessor_);
  for (const auto& [key, value] : about) start.extra.emplace_back(key, value);
  // Requests and tunnels that were under way when the last run was killed: they may have left.
  const auto add_number = [&start](const char* key, std::uint64_t value) {
    if (value > 0) start.extra_numbers.emplace_back(key, static_cast<std::int64_t>(value));
  };
  add_number("open", left_open_.count);
  add_number("open_from", left_open_.from_seq);
  if (!left_open_.ids.empty()) start.extra_lists.emplace_back("open_ids", left_open_.ids);
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
  for (const config::Finding& finding : config::writable_policy(settings_.policy_dir)) {
    report(finding);
  }
}

void Server::run(const std::vector<std::pair<std::string, std::string>>& about) {
  // An agent that reached the console through us would come from our address and not from its own.
  for (const base::SocketAddress& console : settings_.console_listen) own_.push_back(console);
  guard_ =
      std::make_unique<policy::AddressGuard>(settings_.origin_networks, own_, local_addresses());
  std::string run_id;
  base::append_hex(run_id, tls::random_bytes(4));
  shared_ = std::unique_ptr<Shared>(
      new Shared{.settings = settings_,
                 .policy = *policy_,
                 .log = *log_,
                 .redactor = *redactor_,
                 .guard = *guard_,
                 .clients = clients_,
                 .metrics = metrics_,
                 .names = names_,
                 .origin_caps = caps_of_worker(descriptors_.origins, settings_),
                 .run_id = run_id});
  record_start(about);
  const std::scoped_lock lock(workers_mutex_);
  is_running_ = true;
  for (std::size_t i = 0; i < settings_.workers; ++i) {
    auto worker = Worker::make(*shared_, i, std::move(signer_.sockets[i]),
                               {*leaves_, *assembler_, signer_.ca_pem, signer_counts_});
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
  if (change.before->mode != change.after->mode && !is_retired_) {
    audit::Record mode;
    mode.event = audit::Event::kModeChange;
    mode.extra.emplace_back("previous", std::string(policy::word(change.before->mode)));
    mode.extra.emplace_back("mode", std::string(policy::word(change.after->mode)));
    log_->append(mode);
  }
  if (change.before->generation != change.after->generation && !is_retired_) {
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
    if (is_retired_) break;  // its successor tells it
    report(finding);
    if (finding.is_error) log_->append(finding_record(finding));
  }
  const std::scoped_lock lock(workers_mutex_);
  for (const auto& worker : workers_) worker->recheck();
}

void Server::recheck_policy() {
  if (!policy_) return;
  // The time first: what is put in force behind this look is judged by the next one, for what has
  // expired since.
  const auto now = std::chrono::system_clock::now();
  const auto current = policy_->current();
  if (!expiries_.has_struck(current.snapshot, now)) return;
  const std::scoped_lock lock(workers_mutex_);
  for (const auto& worker : workers_) worker->recheck();
}

void Server::reopen_log() { log_->reopen(); }

Server::Inheritance Server::bequeath() const {
  Inheritance out;
  for (const base::Fd& fd : kept_) out.listeners.push_back(copy_of(fd));
  out.is_activated = is_activated_;
  if (kept_audit_socket_.is_open()) out.audit_socket = copy_of(kept_audit_socket_);
  if (turn_ != nullptr) out.turn = base::Fd(::fcntl(turn_->fd(), F_DUPFD_CLOEXEC, 0));
  out.run_id = shared_->run_id;
  return out;
}

void Server::settle() {
  for (const std::string& path : held_files_) socket_files_.emplace_back(path);
  held_files_.clear();
}

void Server::retire() {
  is_retired_ = true;
  for (net::SocketFile& file : socket_files_) file.forget();
  if (audit_socket_) audit_socket_->file.forget();
  kept_audit_socket_.reset();
  for (const auto& sink : sinks_) sink->retire();
}

void Server::drain(const std::function<void()>& done) {
  socket_files_.clear();
  kept_.clear();
  auto left = std::make_shared<std::atomic<std::size_t>>(workers_.size());
  for (const auto& worker : workers_) {
    worker->drain([left, done] {
      if (left->fetch_sub(1) == 1) done();
    });
  }
}

void Server::stop() {
  socket_files_.clear();
  kept_.clear();
  if (!is_running_) return;
  is_running_ = false;
  for (const auto& worker : workers_) worker->stop();
  // It may be reading a large file on a thread of its own, which tells us when it has.
  policy_.reset();
  audit::Record stop;
  stop.event = audit::Event::kStop;
  stop.extra.emplace_back("run", shared_->run_id);
  log_->append(stop);
  // Its thread still answers intents to the workers' loops.
  log_->close();
  const std::scoped_lock lock(workers_mutex_);
  workers_.clear();
}

}  // namespace leash::proxy
