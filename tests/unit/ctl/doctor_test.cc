#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <chrono>
#include <filesystem>

#include "base/fd.h"
#include "tls/direct_leaves.h"
#include "tls/signing_key.h"
#include "unit/ctl/desk.h"

namespace leash::ctl {
namespace {

// An installation as it should be, whose listener is a socket of the test's.
class Installation {
 public:
  Installation() : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    desk.now = std::chrono::system_clock::now();
    desk.write(desk.policy("mode"), "enforce\n");
    desk.write(desk.policy("enforce.yaml"), "allow:\n  - host: a.example\n");
    desk.write(desk.policy("blocklist.yaml"), "block: []\n");
    desk.write(desk.policy("agents.yaml"), "agent_networks:\n  - 10.10.10.0/24\n");
    std::filesystem::permissions(desk.ca_dir(), std::filesystem::perms::owner_all);
    REQUIRE(tls::DirectIssuer::open(desk.ca_dir()).has_value());
    REQUIRE(tls::SigningKey::open(desk.ca_dir()).has_value());
    set_mode(desk.policy("").string(), 0755);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    desk.path("s").copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
    REQUIRE(::listen(listener_.get(), 16) == 0);
    desk.env["LEASH_LISTEN"] = "unix:" + desk.path("s");
  }

  static void set_mode(const std::string& path, mode_t mode) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
  }
  // Exit code 1, a finding with these words, and a fix with those.
  void finds(std::string_view what, std::string_view fix) const {
    const Said said = desk.run({"doctor"});
    CAPTURE(said.out);
    CHECK(said.code == 1);
    CHECK(has(said.out, "FINDING  "));
    CHECK(has(said.out, what));
    CHECK(has(said.out, fix));
  }

  Desk desk;

 private:
  base::Fd listener_;
};

}  // namespace

TEST_CASE("doctor finds nothing where nothing is wrong") {
  const Installation installation;
  const Said said = installation.desk.run({"doctor"});
  CAPTURE(said.out);
  // The disk of whoever runs this may be nearly full.
  if (!has(said.out, "agents get 503")) {
    CHECK(said.code == 0);
    CHECK(has(said.out, "no findings\n"));
  }
  CHECK(has(said.out, "ok       policy: no errors, mode enforce\n"));
  CHECK(has(said.out, "leash-ca-key.pem: "));
  CHECK(has(said.out, "ok       CA: until "));
  CHECK(has(said.out, "ok       listening on unix:"));
  CHECK(has(said.out, "note     admin: off\n"));
}

TEST_CASE("doctor finds keys that others can read") {
  const Installation installation;
  for (const char* name : {"leash-ca-key.pem", "leash-audit-key.pem"}) {
    const std::string path = installation.desk.ca_dir() + "/" + name;
    Installation::set_mode(path, 0640);
    installation.finds(std::string(name) + ": others can read it (mode 0640)", "chmod 600 ");
    Installation::set_mode(path, 0600);
  }
}

TEST_CASE("doctor finds what others can write") {
  const Installation installation;
  const Desk& desk = installation.desk;
  Installation::set_mode(desk.ca_dir(), 0770);
  installation.finds("others can write it (mode 0770), and so replace the CA", "chmod 700 ");
  Installation::set_mode(desk.ca_dir(), 0700);
  Installation::set_mode(desk.policy("enforce.yaml").string(), 0666);
  installation.finds("enforce.yaml: everybody can write it (mode 0666)", "chmod o-w ");
  Installation::set_mode(desk.policy("enforce.yaml").string(), 0644);
  desk.write(desk.log(), "");
  Installation::set_mode(desk.log(), 0644);
  installation.finds("others can read or write it (mode 0644)", "chmod 640 ");
}

TEST_CASE("doctor finds mistakes in the policy and in the settings") {
  const Installation installation;
  const Desk& desk = installation.desk;
  desk.write(desk.policy("enforce.yaml"), "allow:\n  - host: a.example\n    prots: [443]\n");
  installation.finds("policy: enforce.yaml:3: ", "leashctl edit");
  desk.write(desk.policy("enforce.yaml"), "allow: []\n");
  desk.write(desk.policy("leash.yaml"), "listen: [x]\n");
  installation.finds("settings: ", "leash does not start");
}

TEST_CASE("doctor finds a CA that is missing, that has expired or soon will") {
  Installation installation;
  const insight::Moment now = installation.desk.now;
  installation.desk.now = now + std::chrono::hours(24 * 365 * 40);
  installation.finds("CA: expired ", "give the new certificate to the agents");
  installation.desk.now = now;
  std::filesystem::remove(installation.desk.ca_dir() + "/leash-ca-cert.pem");
  installation.finds("no CA certificate in ", "start leash once");
}

TEST_CASE("doctor finds a clock that runs behind the log") {
  Installation installation;
  installation.desk.write(installation.desk.log(), "");
  installation.desk.now -= std::chrono::hours(3);
  installation.finds("clock: ", "chrony");
}

TEST_CASE("doctor finds a log that cannot be one, and a line that was changed") {
  const Installation installation;
  const Desk& desk = installation.desk;
  std::filesystem::create_directory(desk.log());
  installation.finds("egress.jsonl: not a regular file", "move it away");
  std::filesystem::remove(desk.log());
  desk.write(desk.log(), "{\"ts\": 1.0, \"event\": \"start\", \"seq\": 1, \"chain\": \"" +
                             std::string(64, '0') + "\"}\n");
  Installation::set_mode(desk.log(), 0640);
  installation.finds("chain: ", "leashctl verify");
}

TEST_CASE("doctor finds that nobody listens, and an admin socket that is not there") {
  Installation installation;
  installation.desk.env["LEASH_LISTEN"] = "unix:" + installation.desk.path("nobody");
  installation.finds("nobody listens on unix:", "systemctl start leash");
  installation.desk.env["LEASH_ADMIN"] = "unix:" + installation.desk.path("nobody");
  installation.finds("admin: unix:", "--admin");
}

TEST_CASE("doctor says what it cannot see as a note") {
  const Installation installation;
  installation.desk.write(installation.desk.policy("mode"), "audit\n");
  const Said said = installation.desk.run({"doctor"});
  CHECK(has(said.out, "note     policy: mode audit"));
  CHECK(has(said.out, "egress.jsonl: not there yet"));
}

TEST_CASE("doctor takes no further words") {
  const Desk desk;
  CHECK(desk.run({"doctor", "more"}).code == 2);
  CHECK(desk.run({"doctor", "--nonsense"}).code == 2);
}

}  // namespace leash::ctl
