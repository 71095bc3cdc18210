#include "console/console.h"

#include <fcntl.h>
#include <sys/file.h>

#include <array>
#include <cerrno>
#include <optional>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "config/guarded_file.h"
#include "console/access.h"
#include "console/api.h"
#include "console/confinement.h"
#include "console/event_hub.h"
#include "console/http_server.h"
#include "console/index_schema.h"
#include "console/query_pool.h"
#include "console/router.h"
#include "console/static_page.h"
#include "net/listener.h"
#include "sandbox/process.h"
#include "signer/process.h"
#include "signer/waiting_desk.h"
#include "tls/https_context.h"
#include "tls/leaf_assembler.h"
#include "tls/leaf_cache.h"

namespace leash::console {
namespace {

constexpr std::size_t kQueryThreads = 3;
constexpr std::size_t kMostCaughtUp = 1'000;
constexpr std::size_t kLeaves = 64;
constexpr std::chrono::seconds kTick{1};

const Pairs& security_headers() {
  static const Pairs headers = {
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src "
       "'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cache-Control", "no-store"}};
  return headers;
}

// Two consoles in one state directory would write one index.
base::Result<base::Fd> lock_state(const std::string& dir) {
  const std::string path = dir + "/lock";
  base::Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.is_open() || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    const std::string why =
        errno == EWOULDBLOCK ? "another leash-console works in it" : base::errno_text(errno);
    return base::fail(base::Code::kIo, base::Fault::kProxy, dir + ": " + why);
  }
  return fd;
}

base::Result<Access::Options> access_options(const Settings& settings) {
  Access::Options out;
  out.auth = settings.auth;
  out.policy_dir = settings.leash.policy_dir;
  out.hosts = settings.hosts;
  auto token = insight::open_console_token(settings.state_dir, Role::kOperator);
  if (!token) return tl::unexpected(token.error());
  out.operator_token = std::move(*token);
  token = insight::open_console_token(settings.state_dir, Role::kViewer);
  if (!token) return tl::unexpected(token.error());
  out.viewer_token = std::move(*token);
  return out;
}

Reply text_reply(std::string text) {
  return {.type = "text/plain; charset=utf-8", .body = std::move(text)};
}

}  // namespace

struct Console::Impl {
  net::Loop& loop;
  const Settings settings;
  base::Fd lock;
  Access access;
  std::unique_ptr<PolicyHistory> history;
  PolicyDesk desk;
  EventHub hub;
  std::unique_ptr<Indexer> indexer;
  std::unique_ptr<ReaderPool> readers;
  std::unique_ptr<Parts> parts;
  Router router;
  std::string openapi;
  signer::Counts signer_counts;
  signer::Started signer;
  std::optional<tls::LeafAssembler> assembler;
  tls::LeafCache kept_leaves{kLeaves};
  std::unique_ptr<tls::LeafSource> leaves;
  std::unique_ptr<tls::HttpsContext> https;
  std::vector<base::SocketAddress> addresses;
  std::unique_ptr<HttpServer> server;
  std::unique_ptr<QueryPool> pool;  // ends before all that its tasks use
  net::Timer timer;
  std::vector<config::StampResult> policy_stamps;

  Impl(net::Loop& loop_in, const Settings& settings_in, base::Fd lock_in, Access::Options access_in,
       std::unique_ptr<PolicyHistory> history_in)
      : loop(loop_in),
        settings(settings_in),
        lock(std::move(lock_in)),
        access(std::move(access_in)),
        history(std::move(history_in)),
        desk(settings.leash.policy_dir, *history),
        timer(loop, [this] { tick(); }) {}
  ~Impl() {
    pool.reset();
    hub.close();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  base::Result<void> open_tls();
  base::Result<void> listen();
  void open_parts();
  void add_routes();

  void on_request(const std::shared_ptr<Exchange>& exchange);
  bool answer_itself(Exchange& exchange, const Route& route);
  void open_stream(const std::shared_ptr<Exchange>& exchange);
  void look_up_missed(const std::shared_ptr<EventHub::Watch>& watch, std::uint64_t since);
  void tick();
  void look_at_policy();
};

// --- requests ----------------------------------------------------------------------------------

void Console::Impl::on_request(const std::shared_ptr<Exchange>& exchange) {
  const Request& request = exchange->request();
  if (auto refusal = access.refuse_stranger(request)) {
    exchange->reply(std::move(*refusal));
    return;
  }
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  if (const Asset* asset = is_get ? find_asset(request.path) : nullptr; asset != nullptr) {
    exchange->reply(asset_reply(*asset, request));
    return;
  }
  Router::Match match = router.find(request.method, request.path);
  if (match.route == nullptr) {
    Reply reply =
        match.knows_path ? error_reply(405, "method not allowed") : error_reply(404, "not found");
    if (match.knows_path) reply.headers.emplace_back("Allow", match.allowed);
    exchange->reply(std::move(reply));
    return;
  }
  if (request.body.size() > match.route->need.most_body_bytes) {
    exchange->reply(error_reply(413, "the body is too long"));
    return;
  }
  if (answer_itself(*exchange, *match.route)) return;
  auto caller = access.admit(request, match.route->need);
  if (!caller) {
    exchange->reply(std::move(caller.error()));
    return;
  }
  if (request.path == "/api/stream") {
    open_stream(exchange);
    return;
  }
  if (!match.route->handle) {
    exchange->reply({.body = openapi});
    return;
  }
  const bool is_taken =
      pool->run([this, exchange, route = match.route,
                 call = Call{request, std::move(*caller), std::move(match.rest)}] {
        loop.post([exchange, reply = std::make_shared<Reply>(route->handle(call))] {
          exchange->reply(std::move(*reply));
        });
      });
  if (!is_taken) exchange->reply(error_reply(503, "the console is busy: try again"));
}

// What needs no sign-in.
bool Console::Impl::answer_itself(Exchange& exchange, const Route& route) {
  const Request& request = exchange.request();
  const std::string_view path = route.path;
  if (path == "/healthz") {
    exchange.reply(text_reply("ok\n"));
  } else if (path == "/api/session") {
    exchange.reply(request.method == "POST"     ? access.sign_in(request)
                   : request.method == "DELETE" ? access.sign_out(request)
                                                : access.session(request));
  } else {
    return false;
  }
  return true;
}

void Console::Impl::open_stream(const std::shared_ptr<Exchange>& exchange) {
  const Request& request = exchange->request();
  auto filter = RowFilter::parse(request);
  if (!filter) {
    exchange->reply(error_reply(filter.error()));
    return;
  }
  if (hub.is_full()) {
    exchange->reply(error_reply(503, "too many streams"));
    return;
  }
  std::optional<std::uint64_t> since;
  if (const std::string* last = request.header("last-event-id"); last != nullptr) {
    since = base::parse_decimal(*last);
  }
  if (!since) since = base::parse_decimal(request.parameter("since_seq").value_or(""));
  const auto watch =
      hub.add(exchange->open_stream(), request, std::move(*filter), since.has_value());
  if (watch && since) look_up_missed(watch, *since);
}

void Console::Impl::look_up_missed(const std::shared_ptr<EventHub::Watch>& watch,
                                   std::uint64_t since) {
  const bool is_taken = pool->run([this, watch, since] {
    std::vector<Row> rows;
    std::uint64_t lost_from = 0;
    auto missed = readers->ask(
        [&](IndexReader& reader) { return reader.since(watch->filter(), since, kMostCaughtUp); });
    if (missed) {
      rows = std::move(missed->rows);
      if (missed->next) lost_from = since + 1;
    }
    loop.post([this, watch, rows = std::move(rows), lost_from] {
      hub.catch_up(*watch, rows, lost_from);
    });
  });
  if (!is_taken) hub.catch_up(*watch, {}, 0);
}

void Console::Impl::tick() {
  hub.tick(loop.now(), [this](const Request& request) {
    return access.is_welcome(request.peer.ip) && access.caller_of(request).has_value();
  });
  access.look_at_agents();
  look_at_policy();
  timer.start(kTick);
}

// Somebody has changed a file: the history notes it, the streams are told.
void Console::Impl::look_at_policy() {
  constexpr std::array kFiles = {"mode", "enforce.yaml", "blocklist.yaml", "agents.yaml"};
  std::vector<config::StampResult> stamps;
  stamps.reserve(kFiles.size());
  for (const char* name : kFiles) {
    stamps.push_back(config::stamp_of(settings.leash.policy_dir + "/" + name));
  }
  if (stamps == policy_stamps) return;
  const bool is_taken = pool->run([this] {
    desk.look();
    JsonWriter json;
    json.begin_object().key("mode").text(policy::word(desk.mode()));
    json.key("findings").number(std::uint64_t{desk.findings().size()});
    json.key("newest").number(indexer->status().counts.newest).end_object();
    loop.post([this, state = json.take()] { hub.set_state(state); });
  });
  if (is_taken) policy_stamps = std::move(stamps);
}

// --- start -------------------------------------------------------------------------------------

void Console::Impl::add_routes() {
  router.add({"GET", "/healthz", {}, "ok while the console works", {}, nullptr, nullptr, {}});
  constexpr const char* kSession = R"({"$ref":"#/components/schemas/Session"})";
  router.add({"GET", "/api/session", {}, "who has signed in", {}, nullptr, kSession, {}});
  // Read on the loop, for anybody.
  constexpr std::size_t kMostSignInBytes = std::size_t{4} * 1024;
  router.add({"POST",
              "/api/session",
              {.most_body_bytes = kMostSignInBytes},
              "sign in",
              {},
              R"({"type":"object","required":["token"],"properties":{"token":{"type":"string"}}})",
              kSession,
              {}});
  router.add({"DELETE", "/api/session", {}, "sign out", {}, nullptr, kSession, {}});
  std::vector<Parameter> parameters = filter_parameters();
  parameters.push_back({"since_seq", "begin behind this row; Last-Event-ID does the same"});
  router.add({"GET",
              "/api/stream",
              {},
              "rows as they come, as server-sent events",
              parameters,
              nullptr,
              nullptr,
              {}});
  router.add(
      {"GET", "/openapi.json", {}, "this description", {}, nullptr, R"({"type":"object"})", {}});
  add_event_routes(router, *parts);
  add_export_routes(router, *parts);
  add_policy_routes(router, *parts);
  add_history_routes(router, *parts);
  add_preview_routes(router, *parts);
  add_suggest_routes(router, *parts);
  add_health_routes(router, *parts);
  add_log_routes(router, *parts);
  openapi = openapi_json(router);
}

void Console::Impl::open_parts() {
  const std::string path = index_path(settings.state_dir);
  indexer = std::make_unique<Indexer>(settings.leash.log, path, [this](std::vector<Row> rows) {
    loop.post([this, rows = std::move(rows)] { hub.on_rows(rows); });
  });
  readers = std::make_unique<ReaderPool>(
      path, ReaderPool::Source{[this] { return indexer->status().generation; },
                               [this](std::uint64_t generation, const std::string& why) {
                                 indexer->replace(generation, why);
                               }});
  readers->set_floor(history->cleared().seq);
  parts = std::make_unique<Parts>(Parts{settings, *history, desk, *indexer, *readers});
  pool = std::make_unique<QueryPool>(kQueryThreads);
  add_routes();
}

// Before there are other threads. The CA's key stays with the signer.
base::Result<void> Console::Impl::open_tls() {
  if (!settings.uses_tls) return {};
  auto key = tls::LeafKey::make();
  if (!key) return tl::unexpected(key.error());
  auto started = signer::start(settings.leash.ca_dir, key->point(), 1);
  if (!started) return tl::unexpected(started.error());
  signer = std::move(*started);
  auto made = tls::LeafAssembler::make(std::move(*key), signer.ca_pem);
  if (!made) return tl::unexpected(made.error());
  assembler.emplace(std::move(*made));
  leaves = std::make_unique<signer::WaitingDesk>(
      std::move(signer.sockets.front()),
      signer::Desk::Shared{kept_leaves, *assembler, signer.ca_pem, signer_counts});
  auto context = tls::HttpsContext::make(
      *leaves, [this](const base::Host& host) { return access.is_own_name(host); });
  if (!context) return tl::unexpected(context.error());
  https = std::move(*context);
  return {};
}

base::Result<void> Console::Impl::listen() {
  server = std::make_unique<HttpServer>(
      loop,
      HttpServer::Options{
          .limits = {},
          .tls = https.get(),
          .headers = security_headers(),
          .is_welcome = [this](const base::IpAddress& peer) { return access.is_welcome(peer); },
          .on_request = [this](const std::shared_ptr<Exchange>& exchange) { on_request(exchange); },
          .offload = [this](std::function<void()> task) { pool->go_on(std::move(task)); }});
  for (const base::SocketAddress& wanted : settings.listen) {
    auto bound = net::listen_tcp(wanted, net::Exclusive::kYes);
    if (!bound) return tl::unexpected(bound.error());
    if (auto done = server->listen(std::move(bound->fd)); !done) return done;
    addresses.push_back(bound->address);
  }
  return {};
}

Console::Console(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Console::~Console() = default;

const std::vector<base::SocketAddress>& Console::addresses() const { return impl_->addresses; }

base::Result<std::unique_ptr<Console>> Console::start(net::Loop& loop, const Settings& settings) {
  auto options = access_options(settings);
  if (!options) return tl::unexpected(options.error());
  auto lock = lock_state(settings.state_dir);
  if (!lock) return tl::unexpected(lock.error());
  auto history = PolicyHistory::open(settings.state_dir + "/history.db");
  if (!history) return tl::unexpected(history.error());
  auto impl = std::make_unique<Impl>(loop, settings, std::move(*lock), std::move(*options),
                                     std::move(*history));
  sandbox::forbid_memory_dumps();
  if (auto done = impl->open_tls(); !done) return tl::unexpected(done.error());
  impl->access.await_agents();
  if (auto done = impl->listen(); !done) return tl::unexpected(done.error());
  static_cast<void>(confine(settings));
  impl->open_parts();
  impl->tick();
  return std::unique_ptr<Console>(new Console(std::move(impl)));
}

}  // namespace leash::console
