// One setting's text to its value, wherever the text came from.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.h"

namespace leash::config {

// All of them: errors bad_config, the detail says what is wrong with `text`, not where it stood.
// Each "ADDR:PORT" or "unix:/absolute/path".
[[nodiscard]] base::Result<std::vector<base::Endpoint>> parse_listen(
    const std::vector<std::string>& texts);
// Each "ADDR:PORT".
[[nodiscard]] base::Result<std::vector<base::SocketAddress>> parse_console_listen(
    const std::vector<std::string>& texts);
// Names and IP literals.
[[nodiscard]] base::Result<std::vector<base::Host>> parse_proxy_names(
    const std::vector<std::string>& texts);
// "ADDR:PORT", "unix:/absolute/path" or "off".
[[nodiscard]] base::Result<std::string> parse_admin(std::string_view text);
[[nodiscard]] base::Result<std::vector<base::Network>> parse_networks(
    const std::vector<std::string>& texts);
[[nodiscard]] base::Result<std::size_t> parse_count(std::string_view text, std::size_t least,
                                                    std::size_t most);
// "500ms", "10s", "15min", "2h": a whole number with its unit, at most 24 h.
[[nodiscard]] base::Result<std::chrono::milliseconds> parse_duration(std::string_view text);
// "1" or "true", "0" or "false".
[[nodiscard]] base::Result<bool> parse_switch(std::string_view text);
// A path or file name: not empty, no control bytes.
[[nodiscard]] base::Result<std::string> parse_file_path(std::string_view text);
// "" turns the identity header off. Else the host in canonical form.
[[nodiscard]] base::Result<std::string> parse_identity_host(std::string_view text);
// "off", or as base::SyslogTarget has it.
[[nodiscard]] base::Result<std::optional<base::SyslogTarget>> parse_syslog(std::string_view text);
// "off" gives "". Else an absolute path that fits a unix socket's address.
[[nodiscard]] base::Result<std::string> parse_socket_path(std::string_view text);
// "a,b c" to its words.
[[nodiscard]] std::vector<std::string> split_words(std::string_view text);

inline constexpr std::size_t kMostBodyLimitKb = std::size_t{1024} * 1024;
inline constexpr std::size_t kMostWorkers = 256;
inline constexpr std::size_t kMostLogMb = std::size_t{1024} * 1024;
inline constexpr std::size_t kMostLogKeep = 1'000'000;

}  // namespace leash::config
