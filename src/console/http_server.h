// The console's HTTP server: evhttp with limits, requests and answers as values.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "console/connection_guard.h"
#include "console/http_message.h"
#include "net/loop.h"

namespace leash::tls {
class HttpsContext;
}

namespace leash::console {

// An answer without an end. The loop's thread only.
class EventStream {
 public:
  virtual ~EventStream() = default;
  virtual void send(std::string_view text) = 0;
  // Sent and not yet taken by the client's kernel.
  [[nodiscard]] virtual std::size_t pending_bytes() const = 0;
  [[nodiscard]] virtual bool is_open() const = 0;
  virtual void close() = 0;
};

// One request that waits for its answer; exactly one of its methods is called, once. The loop's
// thread only.
class Exchange {
 public:
  virtual ~Exchange() = default;
  [[nodiscard]] virtual const Request& request() const = 0;
  virtual void reply(Reply reply) = 0;
  // text/event-stream.
  [[nodiscard]] virtual std::shared_ptr<EventStream> open_stream() = 0;
};

class HttpServer {
 public:
  static constexpr std::size_t kMaxHeadBytes = std::size_t{32} * 1024;
  static constexpr std::size_t kMaxBodyBytes = std::size_t{4} * 1024 * 1024;  // a policy file

  using OnRequest = std::function<void(std::shared_ptr<Exchange>)>;
  // Runs a task off the loop.
  using Offload = std::function<void(std::function<void()>)>;
  struct Options {
    ConnectionLimits limits;
    tls::HttpsContext* tls = nullptr;  // null: plain
    Pairs headers;                     // of every answer
    // Whether an address may ask for anything; asked when it has connected. Under TLS a client that
    // may not is closed there, before a handshake; else it may ask, and `on_request` says why.
    std::function<bool(const base::IpAddress&)> is_welcome;
    OnRequest on_request;
    Offload offload;
  };

  HttpServer(net::Loop& loop, Options options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // `fd` listens. Errors: io.
  [[nodiscard]] base::Result<void> listen(base::Fd fd);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace leash::console
