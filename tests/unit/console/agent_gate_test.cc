#include "console/agent_gate.h"

#include <doctest/doctest.h>

#include "unit/config/temp_dir.h"

namespace leash::console {
namespace {

using namespace std::chrono_literals;

constexpr const char* kTwo = "agent_networks:\n  - 10.10.10.0/24\n  - fd00:10::/64\n";

class Gate {
 public:
  // Looked at until it is settled.
  explicit Gate(const std::string& text) : gate_(dir.path()) {
    dir.rewrite("agents.yaml", text);
    static_cast<void>(gate_.look(now));
    now += AgentGate::kQuiet;
    REQUIRE(look().is_closed == false);
    REQUIRE(gate_.is_settled());
  }

  const config::AgentNetworks& look() { return gate_.look(now); }
  [[nodiscard]] bool is_agent(const char* address) {
    const auto ip = base::IpAddress::parse(address);
    REQUIRE(ip.has_value());
    for (const base::Network& network : look().networks) {
      if (network.contains(*ip)) return true;
    }
    return look().is_closed;
  }
  [[nodiscard]] bool is_settled() const { return gate_.is_settled(); }

  const config::TempDir dir;
  AgentGate::Time now{};

 private:
  AgentGate gate_;
};

}  // namespace

TEST_CASE("a file seen for the first time opens the gate when it has been quiet for a while") {
  const config::TempDir dir;
  for (const bool is_there : {false, true}) {
    CAPTURE(is_there);
    if (is_there) dir.rewrite("agents.yaml", kTwo);
    AgentGate gate(dir.path());
    CHECK(gate.in_force().is_closed);
    const AgentGate::Time start{};
    CHECK(gate.look(start).is_closed);
    CHECK(gate.look(start + AgentGate::kQuiet - 1ms).is_closed);
    CHECK_FALSE(gate.is_settled());
    CHECK_FALSE(gate.look(start + AgentGate::kQuiet).is_closed);
    CHECK(gate.is_settled());
    CHECK(gate.in_force().networks.size() == (is_there ? 2 : 0));
  }
}

TEST_CASE("a file that becomes empty, short or missing while it is written loses no network") {
  Gate gate(kTwo);
  for (const char* step : {"", "agent_networks:\n", "agent_networks:\n  - 10.10.10.0/24\n",
                           "missing", "agent_networks:\n  - 10.10.10.0/24\n  - fd00:10::/6"}) {
    CAPTURE(step);
    gate.now += AgentGate::kQuiet - 1ms;
    if (step == std::string("missing")) {
      REQUIRE(std::filesystem::remove(gate.dir.at("agents.yaml")));
    } else {
      gate.dir.rewrite("agents.yaml", step);
    }
    CHECK(gate.is_agent("10.10.10.7"));
    CHECK(gate.is_agent("fd00:10::7"));
    CHECK_FALSE(gate.is_agent("192.0.2.7"));
    CHECK_FALSE(gate.is_settled());
  }
}

TEST_CASE("what is added counts at once, what is taken away when the file is quiet") {
  Gate gate(kTwo);
  gate.dir.rewrite("agents.yaml", "agent_networks: [10.10.10.0/24, 192.0.2.0/24]\n");
  CHECK(gate.is_agent("192.0.2.7"));
  CHECK(gate.is_agent("fd00:10::7"));
  // Once more before that: what was added in between stays in.
  gate.dir.rewrite("agents.yaml", "agent_networks: [203.0.113.0/24, 10.10.10.0/24]\n");
  CHECK(gate.is_agent("192.0.2.7"));
  gate.now += AgentGate::kQuiet;
  CHECK(gate.is_agent("203.0.113.7"));
  CHECK(gate.is_agent("10.10.10.7"));
  CHECK_FALSE(gate.is_agent("192.0.2.7"));
  CHECK_FALSE(gate.is_agent("fd00:10::7"));
}

TEST_CASE("a faulty file closes the gate at once, and a mended one opens it when it is quiet") {
  Gate gate(kTwo);
  gate.dir.rewrite("agents.yaml", "agent_networks: [10.10.10.0/99]\n");
  CHECK(gate.is_agent("192.0.2.7"));
  gate.now += AgentGate::kQuiet;
  CHECK(gate.is_agent("192.0.2.7"));
  CHECK(gate.is_settled());
  gate.dir.rewrite("agents.yaml", kTwo);
  CHECK(gate.is_agent("192.0.2.7"));
  gate.now += AgentGate::kQuiet;
  CHECK_FALSE(gate.is_agent("192.0.2.7"));
}

TEST_CASE("what is no file keeps the gate closed, and is settled") {
  const config::TempDir dir;
  REQUIRE(::mkfifo(dir.at("agents.yaml").c_str(), 0600) == 0);
  AgentGate gate(dir.path());
  const AgentGate::Time start{};
  CHECK(gate.look(start).is_closed);
  CHECK(gate.look(start + AgentGate::kQuiet).is_closed);
  CHECK(gate.is_settled());
}

}  // namespace leash::console
