#include <doctest/doctest.h>

#include "audit/chain.h"
#include "audit/checkpoint_key.h"
#include "tls/signing_key.h"
#include "unit/ctl/desk.h"

namespace leash::ctl {
namespace {

// `count` chained lines, and a checkpoint over them where there is a key.
std::string chained_log(int count, const tls::SigningKey* key) {
  std::string log;
  audit::ChainValue chain{};
  std::vector<audit::ChainValue> values;
  for (int i = 1; i <= count; ++i) {
    std::string line =
        R"({"ts": 1767225600.0, "event": "blocked", "client": null, "host": "a", "port": )" +
        std::to_string(i);
    chain = audit::finish_line(line, 0, static_cast<std::uint64_t>(i), chain);
    values.push_back(chain);
    log += line;
  }
  if (key == nullptr) return log;
  std::string line = audit::render_checkpoint(1767225601.0, 1, values, key->public_key().id(),
                                              audit::sign_with(*key));
  audit::finish_line(line, 0, static_cast<std::uint64_t>(count) + 1, chain);
  return log + line;
}

}  // namespace

TEST_CASE("a log that is whole is proved so, without and with the key") {
  const Desk desk;
  const auto key = tls::SigningKey::open(desk.path("keys"));
  REQUIRE(key.has_value());
  desk.write(desk.log(), chained_log(3, &*key));
  const Said chain_only = desk.run({"verify", desk.log()});
  CHECK(chain_only.code == 0);
  CHECK(has(chain_only.out, "whole: 4 lines, seq 1 to 4, 1 checkpoints\n"));
  CHECK(has(chain_only.err, "without --key"));
  const Said with_key =
      desk.run({"verify", desk.log(), "--key", desk.path("keys/leash-audit-key.pub.pem")});
  CHECK(with_key.code == 0);
  CHECK(has(with_key.out, "signed through seq "));
  CHECK(with_key.err.empty());
}

TEST_CASE("a changed line is named and is no success") {
  const Desk desk;
  std::string log = chained_log(3, nullptr);
  log.replace(log.find("\"port\": 2"), 9, "\"port\": 7");
  desk.write(desk.log(), log);
  const Said said = desk.run({"verify", desk.log()});
  CHECK(said.code == 1);
  CHECK(has(said.out, "not whole: " + desk.log() + ":2"));
}

TEST_CASE("a checkpoint of another key is no success") {
  const Desk desk;
  const auto key = tls::SigningKey::open(desk.path("keys"));
  const auto other = tls::SigningKey::open(desk.path("other"));
  REQUIRE((key.has_value() && other.has_value()));
  desk.write(desk.log(), chained_log(3, &*other));
  CHECK(desk.run({"verify", desk.log(), "--key", desk.path("keys/leash-audit-key.pub.pem")}).code ==
        1);
}

TEST_CASE("files without a key's shape, and no files, are wrong use; a missing log is not whole") {
  const Desk desk;
  desk.write(desk.log(), chained_log(1, nullptr));
  CHECK(desk.run({"verify", desk.log(), "--key", desk.path("none")}).code == 2);
  CHECK(desk.run({"verify", desk.log(), "--key", desk.log()}).code == 2);
  CHECK(desk.run({"verify"}).code == 2);
  CHECK(desk.run({"verify", desk.path("none")}).code == 1);
}

}  // namespace leash::ctl
