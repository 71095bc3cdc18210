// What the load generator was asked for.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace bench {

enum class Mode {
  kKept,   // requests on tunnels that stay open, as fast as they are answered
  kNew,    // a new connection for each request, of a few names
  kMint,   // a new connection to a name never seen, for each request
  kBulk,   // large bodies, one after the other
  kIdle,   // opens tunnels with one request each, then holds them
  kPaced,  // open loop: a fixed rate on tunnels that stay open
};

struct Options {
  Mode mode = Mode::kKept;
  std::string proxy_host = "127.0.0.1";
  std::uint16_t proxy_port = 8080;
  bool is_direct = false;  // the address is an origin's (or a reverse proxy's): no CONNECT
  bool is_plain = false;   // http:// in absolute-form, no TLS
  bool resumes = false;    // TLS sessions of earlier connections
  std::string ca_file;
  std::string pattern = "h%d.bench.test";  // %d: the number of the name
  int names = 16;
  int first_name = 0;
  std::uint16_t port = 443;  // the origin's, as the proxy is told
  std::string path = "/1k";
  std::size_t expected_bytes = 1024;  // of each answer's body
  std::size_t post_bytes = 0;
  bool is_echo = false;  // the answer is what was posted
  int connections = 16;
  std::uint64_t requests = 0;  // 0: for `seconds`
  std::chrono::milliseconds seconds{3000};
  std::chrono::milliseconds warm_up{500};
  std::chrono::milliseconds hold{2000};  // kIdle
  double rate = 200;                     // kPaced, requests a second
  std::chrono::milliseconds timeout{30'000};
  std::vector<pid_t> pids;  // whose CPU time and memory is measured, with their children
};

// Ends the process with a message for what cannot be understood.
Options parse_options(int argc, char** argv);

}  // namespace bench
