#include "options.h"

#include <cstdlib>
#include <iostream>
#include <map>
#include <string_view>

namespace bench {
namespace {

[[noreturn]] void die(const std::string& why) {
  std::cerr << "load: " << why << '\n';
  std::exit(2);
}

const std::map<std::string_view, Mode> kModes = {{"kept", Mode::kKept}, {"new", Mode::kNew},
                                                 {"mint", Mode::kMint}, {"bulk", Mode::kBulk},
                                                 {"idle", Mode::kIdle}, {"paced", Mode::kPaced}};

double number(const std::string& flag, const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || value < 0) die(flag + ": not a number: " + text);
  return value;
}

std::chrono::milliseconds seconds(const std::string& flag, const std::string& text) {
  return std::chrono::milliseconds(static_cast<long>(number(flag, text) * 1000));
}

}  // namespace

Options parse_options(int argc, char** argv) {
  Options out;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--direct") {
      out.is_direct = true;
    } else if (flag == "--plain") {
      out.is_plain = true;
    } else if (flag == "--resume") {
      out.resumes = true;
    } else if (flag == "--echo") {
      out.is_echo = true;
    } else if (i + 1 == argc) {
      die(flag + ": unknown, or without its value");
    } else {
      const std::string value = argv[++i];
      if (flag == "--mode") {
        if (!kModes.contains(value)) die("no such mode: " + value);
        out.mode = kModes.at(value);
      } else if (flag == "--proxy") {
        const auto colon = value.rfind(':');
        if (colon == std::string::npos) die("--proxy: HOST:PORT is wanted");
        out.proxy_host = value.substr(0, colon);
        out.proxy_port = static_cast<std::uint16_t>(number(flag, value.substr(colon + 1)));
      } else if (flag == "--ca") {
        out.ca_file = value;
      } else if (flag == "--pattern") {
        out.pattern = value;
      } else if (flag == "--names") {
        out.names = static_cast<int>(number(flag, value));
      } else if (flag == "--first-name") {
        out.first_name = static_cast<int>(number(flag, value));
      } else if (flag == "--port") {
        out.port = static_cast<std::uint16_t>(number(flag, value));
      } else if (flag == "--path") {
        out.path = value;
      } else if (flag == "--expect") {
        out.expected_bytes = static_cast<std::size_t>(number(flag, value));
      } else if (flag == "--post") {
        out.post_bytes = static_cast<std::size_t>(number(flag, value));
      } else if (flag == "--connections") {
        out.connections = static_cast<int>(number(flag, value));
      } else if (flag == "--requests") {
        out.requests = static_cast<std::uint64_t>(number(flag, value));
      } else if (flag == "--seconds") {
        out.seconds = seconds(flag, value);
      } else if (flag == "--warm-up") {
        out.warm_up = seconds(flag, value);
      } else if (flag == "--hold") {
        out.hold = seconds(flag, value);
      } else if (flag == "--rate") {
        out.rate = number(flag, value);
      } else if (flag == "--timeout") {
        out.timeout = seconds(flag, value);
      } else if (flag == "--pid") {
        out.pids.push_back(static_cast<pid_t>(number(flag, value)));
      } else {
        die("unknown flag: " + flag);
      }
    }
  }
  if (out.connections < 1 || out.names < 1) die("at least one connection and one name");
  if (out.mode == Mode::kPaced && out.rate <= 0) die("--rate: more than none is wanted");
  return out;
}

}  // namespace bench
