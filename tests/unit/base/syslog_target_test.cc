#include "base/syslog_target.h"

#include <doctest/doctest.h>

namespace leash::base {
namespace {

TEST_CASE("a syslog target is a unix socket, or a server with its port") {
  const auto local = SyslogTarget::parse("unix:/dev/log");
  REQUIRE(local);
  CHECK(local->transport == SyslogTarget::Transport::kUnix);
  CHECK(local->path == "/dev/log");
  CHECK(local->text() == "unix:/dev/log");
  const auto udp = SyslogTarget::parse("udp://Logs.Example:514");
  REQUIRE(udp);
  CHECK(udp->transport == SyslogTarget::Transport::kUdp);
  CHECK(udp->text() == "udp://logs.example:514");
  const auto tcp = SyslogTarget::parse("tcp://[2001:db8::1]:601");
  REQUIRE(tcp);
  CHECK(tcp->server.host.text() == "2001:db8::1");
  CHECK(tcp->text() == "tcp://[2001:db8::1]:601");
  for (const char* wrong :
       {"", "/dev/log", "unix:", "unix:dev/log", "udp://", "udp://host", "udp://host:0",
        "tcp://host:99999", "tls://host:6514", "tcp://a b:1", "tcp://host:601/", "tcp:host:601"}) {
    CHECK_MESSAGE(!SyslogTarget::parse(wrong), wrong);
  }
}

}  // namespace
}  // namespace leash::base
