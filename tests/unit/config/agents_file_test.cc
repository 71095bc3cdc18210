#include "config/agents_file.h"

#include <doctest/doctest.h>

#include "unit/config/temp_dir.h"

namespace leash::config {
namespace {

AgentNetworks read(const std::string& text) {
  const TempDir dir;
  dir.rewrite("agents.yaml", text);
  return read_agent_networks(dir.path());
}

TEST_CASE("agent networks are read, of both families") {
  const AgentNetworks agents =
      read("agent_networks:\n  - 10.10.10.0/24\n  - fd00:10::/64\n  - 192.0.2.7\n");
  REQUIRE(agents.networks.size() == 3);
  CHECK(agents.networks[1].text() == "fd00:10::/64");
  CHECK(!agents.is_closed);
  CHECK(agents.findings.empty());
}

TEST_CASE("a missing file and one without networks are warned of") {
  const TempDir dir;
  for (const AgentNetworks& agents :
       {read_agent_networks(dir.path()), read(""), read("agent_networks:\n"),
        read("agent_networks: []\n"), read("other: 1\n")}) {
    CHECK(!agents.is_closed);
    REQUIRE(agents.findings.size() == 1);
    CHECK(!agents.findings[0].is_error);
  }
}

TEST_CASE("one bad entry closes the gate for everybody") {
  for (const char* text :
       {"agent_networks:\n  - 10.10.10.0/24\n  - 10.10.300.0/24\n", "agent_networks: 10.0.0.0/8\n",
        "agent_networks:\n  - [10.0.0.0/8]\n", "agent_networks:\n  - 10.0.0.0/33\n",
        "- 10.0.0.0/8\n", "agent_networks: [10.0.0.0/8\n", "agent_networks: {a: b}\n"}) {
    CAPTURE(text);
    const AgentNetworks agents = read(text);
    CHECK(agents.is_closed);
    REQUIRE(agents.findings.size() == 1);
    CHECK(agents.findings[0].is_error);
    CHECK(agents.findings[0].file == "agents.yaml");
  }
  CHECK(read("agent_networks:\n  - 10.10.10.0/24\n  - x\n").findings[0].line == 3);
}

TEST_CASE("what is not a file closes the gate") {
  const TempDir dir;
  REQUIRE(::mkfifo((dir.path() + "/agents.yaml").c_str(), 0600) == 0);
  CHECK(read_agent_networks(dir.path()).is_closed);
}

}  // namespace
}  // namespace leash::config
