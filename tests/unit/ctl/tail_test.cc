#include <doctest/doctest.h>

#include "unit/ctl/desk.h"

namespace leash::ctl {
namespace {

constexpr const char* kAllowed =
    R"({"ts": 1767225603.125, "event": "allowed", "client": "10.10.10.7", "host": "files.example", )"
    R"("port": 443, "method": "GET", "url": "https://files.example/list", "status": 200, "bytes": 17, )"
    R"("audit": "would_block_in_enforce"})"
    "\n";
constexpr const char* kMode =
    R"({"ts": 1767225606.0, "event": "mode_change", "previous": "enforce", "mode": "audit"})"
    "\n";

}  // namespace

TEST_CASE("the last events are printed, a line each") {
  const Desk desk;
  desk.write(desk.log(), std::string(kMode) + kAllowed);
  const Said said = desk.run({"tail"});
  CHECK(said.code == 0);
  CHECK(said.out ==
        "2026-01-01T00:00:06.000Z  mode_change      -                previous=enforce mode=audit\n"
        "2026-01-01T00:00:03.125Z  allowed          10.10.10.7       GET https://files.example/list"
        "  200  17 B  would_block_in_enforce\n");
  CHECK(has(desk.run({"tail", "-n", "1"}).out, "allowed"));
  CHECK_FALSE(has(desk.run({"tail", "-n", "1"}).out, "mode_change"));
}

TEST_CASE("nothing in the log reaches the terminal unescaped") {
  const Desk desk;
  desk.write(desk.log(),
             "{\"ts\": 1, \"event\": \"bl\\u001b[31mocked\", \"client\": \"\\u009b1m\", \"host\": "
             "\"a\\u202e\", \"url\": \"http://a/\\r\\n\\u001b]0;x\\u0007\", \"reason\": "
             "\"\\udc9b\"}\n"
             "\x1b[31m not json\n"
             "{\"event\": \"start\", \"\x7f\\u001b\": \"\\u001b\"}\n");
  const Said said = desk.run({"tail"});
  CHECK(said.code == 0);
  for (const char c : said.out) CHECK(((c >= 0x20 && c < 0x7f) || c == '\n'));
  CHECK(has(said.out, "not an event: \\x1b[31m not json"));
}

TEST_CASE("colours are for terminals") {
  Desk desk;
  desk.write(desk.log(), kAllowed);
  CHECK_FALSE(has(desk.run({"tail"}).out, "\x1b"));
  desk.is_coloured = true;
  CHECK(has(desk.run({"tail"}).out, "\x1b[32mallowed"));
}

TEST_CASE("with -f the log is followed across its rotation") {
  Desk desk;
  desk.write(desk.log(), kMode);
  int looks = 0;
  desk.wait = [&] {
    if (++looks == 1) {
      std::filesystem::rename(desk.log(), desk.log() + ".1");
      desk.write(desk.log(), kAllowed);
    }
    return looks < 3;
  };
  const Said said = desk.run({"tail", "-f"});
  CHECK(said.code == 0);
  CHECK(has(said.out, "mode_change"));
  CHECK(has(said.out, "files.example"));
}

TEST_CASE("a log that is not there is an error, with -f it is waited for") {
  Desk desk;
  CHECK(desk.run({"tail"}).code == 1);
  desk.wait = [&, looks = 0]() mutable {
    desk.write(desk.log(), kAllowed);
    return ++looks < 2;
  };
  const Said said = desk.run({"tail", "-f"});
  CHECK(said.code == 0);
  CHECK(has(said.out, "files.example"));
}

}  // namespace leash::ctl
