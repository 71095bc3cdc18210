#include "config/host_list.h"

#include <algorithm>

#include "base/text.h"
#include "config/policy_reader.h"

namespace leash::config {
namespace {

// Names that are in canonical form already, which is nearly all of a list; the rest goes through
// the parser. A-labels do too, to be checked, and whatever may be an address.
bool is_canonical(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  std::size_t label = 0;
  bool last_has_letter = false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
      last_has_letter = false;
      continue;
    }
    const bool is_letter = c >= 'a' && c <= 'z';
    if (!is_letter && (c < '0' || c > '9') && c != '-' && c != '_') return false;
    if (label == 0 && name.substr(i, 4) == "xn--") return false;
    // A last label of digits, or "0x..", might be an address.
    if (is_letter && c > 'f' && c != 'x') last_has_letter = true;
    if (++label > 63) return false;
  }
  return label > 0 && last_has_letter;
}

class ListReader {
 public:
  ListReader(policy::HostSet& hosts, FindingLog& log) : hosts_(hosts), log_(log) {}

  void read_line(std::string_view line, int number) {
    line = base::trim(line.substr(0, line.find('#')));
    if (line.empty()) return;
    std::string_view word = take_word(line);
    if (!line.empty()) {
      // A hosts file. An address that is none of the two usual ones is still only where the name
      // was sent.
      if (is_address(word)) {
        word = take_word(line);
      } else {
        log_.error(number, "more than one word, and the first is no address");
      }
    }
    while (true) {
      add(word, number);
      if (line.empty()) break;
      word = take_word(line);
    }
  }

 private:
  static std::string_view take_word(std::string_view& line) {
    const auto end = std::min(line.find_first_of(" \t"), line.size());
    const std::string_view word = line.substr(0, end);
    line = base::trim(line.substr(end));
    return word;
  }

  static bool is_address(std::string_view word) {
    return base::IpAddress::parse(word.substr(0, word.find('%'))).has_value();
  }

  void add(std::string_view word, int number) {
    if (word.starts_with("*.")) word.remove_prefix(2);
    if (is_canonical(word)) {
      hosts_.add(word, number);
      return;
    }
    const auto host = base::Host::parse_lenient(word);
    if (!host) {
      log_.error(number, "bad host: " + host.error().text());
      return;
    }
    hosts_.add(host->text(), number);
  }

  policy::HostSet& hosts_;
  FindingLog& log_;
};

}  // namespace

HostList read_host_list(std::string_view text, const std::string& name) {
  HostList out;
  FindingLog log(name);
  text = without_bom(text);
  if (text.find('\0') != std::string_view::npos || !base::is_utf8(text)) {
    log.error(0, "not a text file");
    out.findings = log.take();
    return out;
  }
  auto hosts = std::make_shared<policy::HostSet>(name);
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  hosts->reserve(lines, text.size());
  ListReader reader(*hosts, log);
  int number = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    reader.read_line(text.substr(0, end), ++number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  out.hosts = std::move(hosts);
  out.findings = log.take();
  return out;
}

}  // namespace leash::config
