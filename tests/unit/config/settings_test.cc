#include "config/settings.h"

#include <doctest/doctest.h>

#include "unit/config/temp_dir.h"

namespace leash::config {
namespace {

using std::chrono::milliseconds;
using Environment = std::map<std::string, std::string>;

base::Result<ParsedSettings> parse(std::vector<const char*> args, const Environment& env = {}) {
  args.insert(args.begin(), "leash");
  return parse_settings(static_cast<int>(args.size()), args.data(), env);
}

std::string error_of(std::vector<const char*> args, const Environment& env = {}) {
  const auto parsed = parse(std::move(args), env);
  return parsed ? "" : parsed.error().text();
}

TEST_CASE("without a word the defaults hold") {
  const auto parsed = parse({"--policy-dir", "/nonexistent"});
  REQUIRE(parsed.has_value());
  const Settings& got = parsed->settings;
  CHECK(parsed->run == Run::kServe);
  REQUIRE(got.listen.size() == 1);
  CHECK(got.listen[0].text() == "0.0.0.0:8080");
  CHECK(got.admin == "127.0.0.1:8081");
  CHECK(got.log == "/logs/egress.jsonl");
  CHECK(got.ca_dir == "/var/lib/leash/ca");
  CHECK(got.body_limit_kb == 1024);
  CHECK(got.workers >= 1);
  CHECK_FALSE(got.keeps_secrets);
  CHECK(got.durability == Durability::kWrite);
  CHECK(got.limits.head_kb == 64);
}

TEST_CASE("flags beat variables beat leash.yaml") {
  const TempDir dir;
  dir.rewrite("leash.yaml",
              "log: /yaml.jsonl\nca_dir: /yaml-ca\nworkers: 3\nlisten: 127.0.0.1:1000\n");
  const Environment env{
      {"LEASH_DIR", dir.path()}, {"LEASH_CA_DIR", "/env-ca"}, {"LEASH_WORKERS", "5"}};
  const auto parsed = parse({"--workers", "7"}, env);
  REQUIRE_MESSAGE(parsed.has_value(), parsed.error().text());
  CHECK(parsed->settings.log == "/yaml.jsonl");
  CHECK(parsed->settings.ca_dir == "/env-ca");
  CHECK(parsed->settings.workers == 7);
  CHECK(parsed->settings.listen.at(0).tcp.port == 1000);
  CHECK(parsed->settings.policy_dir == dir.path());
}

TEST_CASE("lists come as repeated flags or as words in a variable") {
  const auto flags =
      parse({"--policy-dir=/nonexistent", "--listen", "127.0.0.1:0", "--listen=[::1]:0",
             "--allow-origin-network", "10.0.0.0/8", "--check-config"});
  REQUIRE(flags.has_value());
  CHECK(flags->run == Run::kCheck);
  CHECK(flags->settings.listen.size() == 2);
  CHECK(flags->settings.origin_networks.size() == 1);
  const auto env =
      parse({"--policy-dir=/nonexistent"}, {{"LEASH_LISTEN", "127.0.0.1:1, 127.0.0.1:2 [::1]:3"},
                                            {"LEASH_ORIGIN_NETWORKS", "10.0.0.0/8,fd00::/8"}});
  REQUIRE(env.has_value());
  CHECK(env->settings.listen.size() == 3);
  CHECK(env->settings.origin_networks.size() == 2);
}

TEST_CASE("leash listens on unix sockets too") {
  const auto flags = parse({"--policy-dir=/nonexistent", "--listen", "unix:/run/my leash/a.sock",
                            "--listen", "127.0.0.1:0"});
  REQUIRE(flags.has_value());
  CHECK(flags->settings.listen.at(0).path == "/run/my leash/a.sock");
  CHECK(flags->settings.listen.at(1).text() == "127.0.0.1:0");
  const auto env = parse({"--policy-dir=/nonexistent"}, {{"LEASH_LISTEN", "unix:/run/a,[::1]:3"}});
  REQUIRE(env.has_value());
  CHECK(env->settings.listen.at(0).text() == "unix:/run/a");
  CHECK(env->settings.listen.at(1).text() == "[::1]:3");
}

TEST_CASE("the proxy's own names come in canonical form") {
  const auto parsed =
      parse({"--policy-dir=/nonexistent"}, {{"LEASH_PROXY_NAMES", "Leash.LAN., 10.0.0.1 ::1"}});
  REQUIRE(parsed.has_value());
  REQUIRE(parsed->settings.proxy_names.size() == 3);
  CHECK(parsed->settings.proxy_names[0].text() == "leash.lan");
  CHECK(parsed->settings.proxy_names[1].is_ip());
  CHECK(parsed->settings.proxy_names[2].text() == "::1");
  CHECK(error_of({"--policy-dir=/nonexistent", "--proxy-name", "a b"}) != "");
}

TEST_CASE("an empty variable is unset") {
  const auto parsed =
      parse({"--policy-dir=/nonexistent"}, {{"LEASH_LISTEN", ""}, {"BODY_LIMIT_KB", ""}});
  REQUIRE(parsed.has_value());
  CHECK(parsed->settings.listen.size() == 1);
}

TEST_CASE("variables without a flag") {
  const auto parsed =
      parse({"--policy-dir=/nonexistent"}, {{"LEASH_AUDIT", "sync"},
                                            {"LEASH_LOG_SECRETS", "keep"},
                                            {"LEASH_CAPTURE_WEBSOCKET", "1"},
                                            {"LEASH_IDENTITY_HOST", " Control.Example. "},
                                            {"LEASH_LOG_MAX_MB", "100"},
                                            {"LEASH_LOG_KEEP", "7"},
                                            {"LEASH_SYSLOG", "udp://logs.example:514"},
                                            {"LEASH_AUDIT_SOCKET", "/run/leash/audit.sock"},
                                            {"BODY_LIMIT_KB", "0"}});
  REQUIRE(parsed.has_value());
  CHECK(parsed->settings.durability == Durability::kSync);
  CHECK(parsed->settings.keeps_secrets);
  CHECK(parsed->settings.captures_websocket);
  CHECK(parsed->settings.identity_host == "control.example");
  CHECK(parsed->settings.body_limit_kb == 0);
  CHECK(parsed->settings.log_max_mb == 100);
  CHECK(parsed->settings.log_keep == 7);
  REQUIRE(parsed->settings.syslog);
  CHECK(parsed->settings.syslog->text() == "udp://logs.example:514");
  CHECK(parsed->settings.audit_socket == "/run/leash/audit.sock");
}

TEST_CASE("a bad value is refused with the name of where it stood") {
  const std::string dir = "--policy-dir=/nonexistent";
  CHECK(error_of({dir.c_str(), "--listen", "8080"}).find("--listen: '8080'") != std::string::npos);
  CHECK(error_of({dir.c_str(), "--workers", "0"}).find("--workers") != std::string::npos);
  CHECK(error_of({dir.c_str()}, {{"BODY_LIMIT_KB", "1k"}}).find("BODY_LIMIT_KB") !=
        std::string::npos);
  CHECK(error_of({dir.c_str()}, {{"LEASH_AUDIT", "off"}}).find("LEASH_AUDIT") != std::string::npos);
  CHECK(error_of({dir.c_str()}, {{"LEASH_LOG_SECRETS", "yes"}}) != "");
  CHECK(error_of({dir.c_str()}, {{"LEASH_CAPTURE_WEBSOCKET", "yes"}}) != "");
  CHECK(error_of({dir.c_str()}, {{"LEASH_LOG_MAX_MB", "100M"}}).find("LEASH_LOG_MAX_MB") !=
        std::string::npos);
  CHECK(error_of({dir.c_str()}, {{"LEASH_SYSLOG", "udp://logs.example"}}).find("LEASH_SYSLOG") !=
        std::string::npos);
  CHECK(error_of({dir.c_str()}, {{"LEASH_AUDIT_SOCKET", "audit.sock"}}) != "");
  CHECK(error_of({dir.c_str()}, {{"LEASH_LOG_KEEP", "-1"}}).find("LEASH_LOG_KEEP") !=
        std::string::npos);
  CHECK(error_of({dir.c_str()}, {{"LEASH_ORIGIN_NETWORKS", "10.0.0.0/33"}}) != "");
  CHECK(error_of({dir.c_str(), "--admin", "unix:relative"}) != "");
  CHECK(error_of({dir.c_str(), "--listen", "unix:relative"}).find("absolute") != std::string::npos);
  CHECK(error_of({dir.c_str(), "--listen", "unix:/a", "--listen", "unix:/a"}) != "");
  CHECK(error_of({dir.c_str(), "--log="}) != "");
  CHECK(error_of({dir.c_str(), "--nonsense"}) != "");
  CHECK(error_of({dir.c_str(), "stray"}) != "");
  CHECK(error_of({dir.c_str(), "--log", "/a", "--log", "/b"}) != "");
  CHECK(error_of({dir.c_str(), "--listen", "127.0.0.1:1", "--listen", "127.0.0.1:1"}) != "");
}

TEST_CASE("leash.yaml sets limits with units") {
  const TempDir dir;
  dir.rewrite("leash.yaml",
              "limits:\n  head_kb: 128\n  head_time: 500ms\n  connect_time: 3s\n  "
              "exchange_idle_time: 30min\n"
              "  client_idle_time: 2h\n  drain_time: 0s\n  leaves: 10\nadmin: off\n"
              "listen: ['127.0.0.1:0', '[::1]:0']\nallow_origin_networks: [10.0.0.0/8]\n");
  const auto parsed = parse({"--policy-dir", dir.path().c_str()});
  REQUIRE_MESSAGE(parsed.has_value(), parsed.error().text());
  const Limits& limits = parsed->settings.limits;
  CHECK(limits.head_kb == 128);
  CHECK(limits.head_time == milliseconds(500));
  CHECK(limits.connect_time == milliseconds(3'000));
  CHECK(limits.exchange_idle_time == milliseconds(1'800'000));
  CHECK(limits.client_idle_time == milliseconds(7'200'000));
  CHECK(limits.drain_time == milliseconds(0));
  CHECK(limits.leaves == 10);
  CHECK(parsed->settings.admin == "off");
  CHECK(parsed->settings.listen.size() == 2);
}

TEST_CASE("a mistake in leash.yaml stops the start and names the line") {
  const char* mistakes[] = {"\nlisteen: 127.0.0.1:1\n",
                            "log: /x\nlimits:\n  head_mb: 1\n",
                            "log: /x\nlimits:\n  head_time: 10\n",
                            "log: /x\nlimits:\n  head_time: 0s\n",
                            "log: /x\nlimits:\n  head_time: 25h\n",
                            "log: /x\nlimits:\n  head_kb: 0\n",
                            "log: /x\nlimits:\n  head_kb: -1\n",
                            "log: /x\nlimits: [a]\n",
                            "log: /x\nworkers: many\n",
                            "log: /x\nlisten: []\n",
                            "log: /x\nlog: /y\n",
                            "log: /x\nlimits: {leaves: 1, leaves: 2}\n",
                            "log: /x\naudit: sync\n",
                            "log: /x\nadmin: [a]\n",
                            "log: /x\n[\n"};
  for (const char* text : mistakes) {
    const TempDir dir;
    dir.rewrite("leash.yaml", text);
    const auto error = error_of({"--policy-dir", dir.path().c_str()});
    CHECK_MESSAGE(error.find("bad_config: leash.yaml:") == 0, text, " gave ", error);
  }
  const TempDir dir;
  dir.rewrite("leash.yaml", "- a\n");
  CHECK(error_of({"--policy-dir", dir.path().c_str()}) != "");
  std::filesystem::remove(dir.at("leash.yaml"));
  std::filesystem::create_directory(dir.at("leash.yaml"));
  CHECK(error_of({"--policy-dir", dir.path().c_str()}).find("not a regular file") !=
        std::string::npos);
}

TEST_CASE("the help text names every flag, variable and limit") {
  const std::string help = settings_help();
  for (const char* word : {"--listen",
                           "--admin",
                           "--policy-dir",
                           "--log",
                           "--ca-dir",
                           "--origin-ca",
                           "--allow-origin-network",
                           "--body-limit-kb",
                           "--workers",
                           "--check-config",
                           "LEASH_LISTEN",
                           "LEASH_ADMIN",
                           "LEASH_DIR",
                           "LOG_PATH",
                           "LEASH_CA_DIR",
                           "LEASH_ORIGIN_CA",
                           "LEASH_ORIGIN_NETWORKS",
                           "BODY_LIMIT_KB",
                           "LEASH_WORKERS",
                           "LEASH_IDENTITY_HOST",
                           "LEASH_AUDIT",
                           "LEASH_LOG_SECRETS",
                           "LEASH_LOG_MAX_MB",
                           "log_keep",
                           "LEASH_SYSLOG",
                           "audit_socket",
                           "exchange_idle_time",
                           "15min",
                           "h2_streams"}) {
    CHECK_MESSAGE(help.find(word) != std::string::npos, word);
  }
}

}  // namespace
}  // namespace leash::config
