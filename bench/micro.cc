// One thing, so many times, for an instruction counter: micro decision|line COUNT.
#include <cstdlib>
#include <iostream>
#include <string>

#include "audit/chain.h"
#include "audit/header_json.h"
#include "audit/record.h"
#include "policy/decide.h"

using namespace leash;
namespace {

// A policy of a hundred hosts, one of them with path rules, and a request to that one.
void decide(std::size_t count) {
  auto entries = std::make_shared<policy::EntryMap>();
  for (int i = 0; i < 100; ++i) {
    policy::Entry entry;
    entry.host = *base::Host::parse("host" + std::to_string(i) + ".example.test");
    entry.ports = {443};
    entry.paths = {{"GET", "/v1/"}, {"POST", "/v1/messages"}};
    entry.file = "enforce.yaml";
    entry.line = i + 1;
    entries->add(std::move(entry));
  }
  policy::Snapshot snapshot;
  snapshot.enforce = entries;
  snapshot.blocklist = std::make_shared<policy::EntryMap>();
  const auto host = *base::Host::parse("api.host42.example.test");
  const std::chrono::system_clock::time_point now{};
  std::size_t allowed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    allowed += policy::decide(snapshot, {host, 443, "POST", "/v1/messages"}, now).is_allowed;
  }
  if (allowed != count) std::abort();
}

// The outcome of an ordinary request: rendered, numbered and chained.
void write_lines(std::size_t count) {
  const audit::Redactor redactor(audit::Redactor::Secrets::kRedact, "0123456789abcdef");
  const audit::HeaderLines request = {{"Host", "api.example.test"},
                                      {"User-Agent", "agent/1.0 (linux; x86_64)"},
                                      {"Accept", "*/*"},
                                      {"Accept-Encoding", "gzip, deflate, br"},
                                      {"Content-Type", "application/json"}};
  const audit::HeaderLines response = {{"Server", "origin"},
                                       {"Date", "Sun, 29 Nov 2026 12:00:00 GMT"},
                                       {"Content-Type", "application/json"},
                                       {"Cache-Control", "no-store"}};
  audit::ChainValue chain{};
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    audit::Record record;
    record.event = audit::Event::kAllowed;
    record.time = std::chrono::system_clock::time_point(std::chrono::seconds(1795940360));
    record.client = "10.0.0.7";
    record.host = "api.example.test";
    record.port = 443;
    record.method = "GET";
    record.url = redactor.url("https://api.example.test/v1/models?limit=20");
    record.status = 200;
    record.bytes = 1024;
    record.req_headers = audit::header_json(request, redactor);
    record.res_headers = audit::header_json(response, redactor);
    record.id = "0123456789abcdef-12";
    record.agent = "10.0.0.7";
    record.rule = "enforce.yaml:12 api.example.test";
    record.ms = 1.25;
    record.bytes_up = 0;
    record.bytes_down = 1024;
    out = audit::render(record);
    chain = audit::finish_line(out, 0, i + 1, chain);
  }
  if (out.size() < 500) std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc == 3 ? argv[1] : "";
  const std::size_t count = argc == 3 ? std::strtoul(argv[2], nullptr, 10) : 0;
  if (what == "decision") {
    decide(count);
  } else if (what == "line") {
    write_lines(count);
  } else {
    std::cerr << "micro decision|line COUNT\n";
    return 2;
  }
  return 0;
}
