// What a client sends to a session, from its first byte on: CONNECT, requests, what comes inside a
// tunnel. The policy allows one origin, which hangs up at once; everything else is denied. Whatever
// comes, the session must end once its client has, and give back its place.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

#include "audit/log_writer.h"
#include "config/policy_files.h"
#include "net/listener.h"
#include "proxy/session.h"
#include "tls/direct_leaves.h"

namespace {

using namespace leash;

class Rig final : public proxy::Session::Owner {
 public:
  Rig()
      : dir_(make_dir()),
        bound_(*net::listen_tcp(base::SocketAddress{base::IpAddress::v4(0x7f000001), 0},
                                net::Exclusive::kYes)),
        policy_((write_policy(), dir_.string()), [](const config::PolicyFiles::Change&) {}),
        log_(open_log()),
        redactor_(audit::Redactor::Secrets::kRedact, "key"),
        guard_({*base::Network::parse("127.0.0.0/8")}, {}, {}),
        clients_({100, 100, 1024 * 1024, 1024 * 1024}),
        issuer_(*tls::DirectIssuer::open((dir_ / "ca").string())),
        leaves_(std::make_unique<tls::DirectLeaves>(*issuer_, 16)),
        shared_{settings_, policy_,  *log_,  redactor_, guard_,
                clients_,  metrics_, names_, {},        "fuzz"},
        client_tls_(*tls::make_server_context(*leaves_)),
        origin_tls_(*tls::make_client_context("")),
        resolver_(*net::make_resolver(loop_, {})),
        pool_(loop_, *origin_tls_, settings_.limits, {}, metrics_),
        services_{loop_,
                  shared_,
                  pool_,
                  *client_tls_,
                  proxy::PolicyGate(loop_, policy_),
                  proxy::NamesGate(),
                  proxy::AddressGate(*resolver_, guard_, settings_.limits.connect_time),
                  proxy::IntentGate(loop_, *log_, redactor_, metrics_),
                  "fuzz-"},
        origin_(loop_, std::move(bound_.fd), [](base::Fd, const net::Peer&) {}) {}
  ~Rig() {
    log_->close();  // its thread answers to the intent gate
    std::filesystem::remove_all(dir_);
  }

  void run(std::string_view bytes) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) std::abort();
    const base::Fd client(ends[1]);
    net::Peer peer;
    peer.address = {base::IpAddress::v4(0x0a000001), 1};
    auto place = clients_.enter(peer.account());
    if (place.answer != proxy::ClientCounts::Answer::kTaken) std::abort();
    session_ = std::make_unique<proxy::Session>(services_, base::Fd(ends[0]), peer,
                                                std::move(place), *this);
    ::fcntl(client.get(), F_SETFL, O_NONBLOCK);
    while (!bytes.empty()) {
      const auto sent = ::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    ::shutdown(client.get(), SHUT_WR);
    loop_.run();
  }

 private:
  static std::filesystem::path make_dir() {
    std::string name = "/tmp/leash-fuzz-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    return name;
  }
  void write_policy() {
    std::ofstream(dir_ / "mode") << "enforce\n";
    std::ofstream(dir_ / "enforce.yaml")
        << "allow:\n  - host: 127.0.0.1\n    ports: [" << bound_.address.port << ", 9]\n";
    std::ofstream(dir_ / "blocklist.yaml") << "block: []\n";
  }
  std::unique_ptr<audit::LogWriter> open_log() {
    audit::LogWriter::Options options;
    options.path = (dir_ / "egress.jsonl").string();
    options.durability = audit::Durability::kAsync;
    return std::move(*audit::LogWriter::open(std::move(options)));
  }
  void on_session_done(proxy::Session&) override {
    loop_.bury(std::move(session_));
    loop_.defer([this] { loop_.stop(); });
  }

  std::filesystem::path dir_;
  net::Bound bound_;
  config::Settings settings_;
  config::PolicyFiles policy_;
  std::unique_ptr<audit::LogWriter> log_;
  audit::Redactor redactor_;
  policy::AddressGuard guard_;
  proxy::ClientCounts clients_;
  proxy::Metrics metrics_;
  proxy::ProxyNames names_{{}};
  std::unique_ptr<tls::DirectIssuer> issuer_;
  std::unique_ptr<tls::LeafSource> leaves_;
  proxy::Shared shared_;
  net::Loop loop_;
  std::unique_ptr<tls::ServerContext> client_tls_;
  std::unique_ptr<tls::ClientContext> origin_tls_;
  std::unique_ptr<net::Resolver> resolver_;
  proxy::OriginPool pool_;
  proxy::Services services_;
  net::Listener origin_;
  std::unique_ptr<proxy::Session> session_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // Ends with the process: the log writer's thread must not outlive what it uses.
  static const auto rig = std::make_unique<Rig>();
  rig->run({reinterpret_cast<const char*>(data), size});
  return 0;
}
