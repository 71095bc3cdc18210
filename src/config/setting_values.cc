#include "config/setting_values.h"

#include <algorithm>

#include "base/authority.h"
#include "base/message_text.h"
#include "base/text.h"

namespace leash::config {
namespace {

tl::unexpected<base::Error> refuse(std::string text) {
  return base::fail(base::Code::kBadConfig, base::Fault::kProxy, std::move(text));
}

}  // namespace

base::Result<std::vector<base::Endpoint>> parse_listen(const std::vector<std::string>& texts) {
  std::vector<base::Endpoint> out;
  for (const std::string& text : texts) {
    const auto endpoint = base::Endpoint::parse(text);
    if (!endpoint && text.starts_with("unix:")) {
      return refuse(base::quoted(text) + ": " + endpoint.error().detail);
    }
    if (!endpoint) return refuse(base::quoted(text) + " is not ADDR:PORT or unix:PATH");
    const bool may_repeat = !endpoint->is_unix() && endpoint->tcp.port == 0;
    if (!may_repeat && std::find(out.begin(), out.end(), *endpoint) != out.end()) {
      return refuse(base::quoted(text) + " appears twice");
    }
    out.push_back(*endpoint);
  }
  if (out.empty()) return refuse("at least one ADDR:PORT or unix:PATH is needed");
  return out;
}

base::Result<std::vector<base::SocketAddress>> parse_console_listen(
    const std::vector<std::string>& texts) {
  std::vector<base::SocketAddress> out;
  for (const std::string& text : texts) {
    const auto address = base::SocketAddress::parse(text);
    if (!address) return refuse(base::quoted(text) + " is not ADDR:PORT");
    out.push_back(*address);
  }
  if (out.empty()) return refuse("at least one ADDR:PORT is needed");
  return out;
}

base::Result<std::vector<base::Host>> parse_proxy_names(const std::vector<std::string>& texts) {
  std::vector<base::Host> out;
  for (const std::string& text : texts) {
    const auto host = base::Host::parse_lenient(text);
    if (!host || host->empty()) return refuse(base::quoted(text) + " is not a host");
    out.push_back(*host);
  }
  return out;
}

base::Result<std::string> parse_admin(std::string_view text) {
  const std::string out(text);
  if (text == "off") return out;
  const auto endpoint = base::Endpoint::parse(text);
  if (endpoint) return out;
  if (text.starts_with("unix:")) return refuse(base::quoted(text) + ": " + endpoint.error().detail);
  return refuse(base::quoted(text) + " is not ADDR:PORT, unix:PATH or off");
}

base::Result<std::optional<base::SyslogTarget>> parse_syslog(std::string_view text) {
  if (text == "off") return std::optional<base::SyslogTarget>();
  auto target = base::SyslogTarget::parse(text);
  if (!target) {
    return refuse(base::quoted(text) +
                  " is not unix:PATH, udp://HOST:PORT, tcp://HOST:PORT or off (" +
                  target.error().text() + ")");
  }
  return std::optional(std::move(*target));
}

base::Result<std::string> parse_socket_path(std::string_view text) {
  if (text == "off") return std::string();
  auto endpoint = base::Endpoint::parse("unix:" + std::string(text));
  if (!endpoint) return refuse(base::quoted(text) + ": " + endpoint.error().detail);
  return std::move(endpoint->path);
}

base::Result<std::vector<base::Network>> parse_networks(const std::vector<std::string>& texts) {
  std::vector<base::Network> out;
  for (const std::string& text : texts) {
    const auto network = base::Network::parse(text);
    if (!network) return refuse(base::quoted(text) + " is not a network such as 10.0.0.0/8");
    out.push_back(*network);
  }
  return out;
}

base::Result<std::size_t> parse_count(std::string_view text, std::size_t least, std::size_t most) {
  const auto value = base::parse_decimal(text, most);
  if (!value || *value < least) {
    return refuse(base::quoted(text) + " is not a number from " + std::to_string(least) + " to " +
                  std::to_string(most));
  }
  return static_cast<std::size_t>(*value);
}

base::Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::chrono::milliseconds length;
  };
  constexpr Unit kUnits[] = {{"ms", std::chrono::milliseconds(1)},
                             {"s", std::chrono::seconds(1)},
                             {"min", std::chrono::minutes(1)},
                             {"h", std::chrono::hours(1)}};
  constexpr std::chrono::milliseconds kLongest = std::chrono::hours(24);
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto value = base::parse_decimal(text.substr(0, digits), 1'000'000'000);
  for (const Unit& unit : kUnits) {
    if (!value || text.substr(digits) != unit.name) continue;
    const auto out = unit.length * static_cast<std::int64_t>(*value);
    if (out > kLongest) break;
    return out;
  }
  return refuse(base::quoted(text) +
                " is not a time such as 500ms, 10s, 15min or 2h (at most 24h)");
}

base::Result<bool> parse_switch(std::string_view text) {
  if (text == "1" || text == "true") return true;
  if (text == "0" || text == "false") return false;
  return refuse(base::quoted(text) + " is neither 1 (true) nor 0 (false)");
}

base::Result<std::string> parse_file_path(std::string_view text) {
  if (text.empty()) return refuse("an empty path");
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return refuse(base::quoted(text) + " holds control characters");
    }
  }
  return std::string(text);
}

base::Result<std::string> parse_identity_host(std::string_view text) {
  text = base::trim(text);
  if (text.empty()) return std::string();
  const auto host = base::Host::parse_lenient(text);
  if (!host) return refuse(base::quoted(text) + " is not a host");
  return host->text();
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> out;
  while (true) {
    const auto begin = text.find_first_not_of(", \t\r\n");
    if (begin == std::string_view::npos) return out;
    text.remove_prefix(begin);
    const auto end = std::min(text.find_first_of(", \t\r\n"), text.size());
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

}  // namespace leash::config
