// How long a decision takes with a host list of so many names: decide [NAMES].
#include "policy/decide.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <vector>

#include "config/host_list.h"

using namespace leash;
namespace {

// CPU time since `begin`: other programs' share of the machine does not count.
double seconds_since(std::clock_t begin) {
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

std::string name_of(std::size_t number) {
  return fmt::format("ad{}.tracker{}.example-{}.test", number % 97, number, number % 7);
}

// Average over `hosts`, in an order that no cache expects.
void measure(const char* what, const policy::Snapshot& snapshot,
             const std::vector<base::Host>& hosts, bool is_allowed) {
  const auto now = std::chrono::system_clock::now();
  std::size_t allowed = 0;
  const std::clock_t begin = std::clock();
  for (const base::Host& host : hosts) {
    allowed += policy::decide(snapshot, {host, 443, "GET", "/index.html"}, now).is_allowed ? 1 : 0;
  }
  const double took = seconds_since(begin) * 1e6;
  if (allowed != (is_allowed ? hosts.size() : 0)) std::abort();
  fmt::print("{:<28}{:.2f} us\n", what, took / static_cast<double>(hosts.size()));
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1'000'000;
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += name_of(i) + "\n";
  const std::clock_t begin = std::clock();
  config::HostList list = config::read_host_list(text, "ads.txt");
  fmt::print("{:<28}{:.2f} s\n", "parsing the list", seconds_since(begin));

  policy::Snapshot snapshot;
  snapshot.mode = policy::Mode::kBlocklist;
  snapshot.enforce = snapshot.blocklist = std::make_shared<const policy::EntryMap>();
  snapshot.block_lists = {list.hosts};
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same names each time
  std::vector<base::Host> listed, below, others;
  for (int i = 0; i < 200'000; ++i) {
    const std::string name = name_of(random() % count);
    listed.push_back(base::Host::parse(name).value());
    below.push_back(base::Host::parse("www." + name).value());
    others.push_back(
        base::Host::parse(fmt::format("host{}.of.some.site{}.test", i, random())).value());
  }
  measure("a decision, host listed", snapshot, listed, false);
  measure("a decision, parent listed", snapshot, below, false);
  measure("a decision, not listed", snapshot, others, true);
}
