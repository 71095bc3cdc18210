// One client connection of the load: through the proxy, TLS inside, one request at a time.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "options.h"
#include "response.h"

namespace bench {

using Clock = std::chrono::steady_clock;

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

class Connection {
 public:
  // What is shared by all connections, and who hears of them.
  class Load {
   public:
    virtual ~Load() = default;
    virtual const Options& options() const = 0;
    virtual SSL_CTX* tls() = 0;
    virtual SSL_SESSION* session(int name) = 0;  // null: none to resume
    // Epoll shall wake this connection for writing too, or only for reading.
    virtual void watch(Connection& connection, int fd, bool writing) = 0;
    virtual void on_answer(Connection& connection) = 0;
    // The connection is over; `why` is "" where it ended as it should.
    virtual void on_failed(Connection& connection, const std::string& why) = 0;
  };

  Connection(Load& load, int name, int slot) : load_(load), name_(name), slot_(slot) {}
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Connects, and sends the first request as soon as that can be. `due`: when it should have gone.
  void start(Clock::time_point due);
  // Another request on an idle one.
  void request(Clock::time_point due);
  void on_ready();
  [[nodiscard]] int name() const { return name_; }
  [[nodiscard]] int slot() const { return slot_; }
  [[nodiscard]] bool is_idle() const { return state_ == State::kIdle; }
  [[nodiscard]] bool was_resumed() const { return was_resumed_; }
  [[nodiscard]] Clock::time_point due() const { return due_; }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

 private:
  enum class State { kConnecting, kTunnel, kHandshake, kAnswer, kIdle, kFailed };

  void fail(const std::string& why);
  void send_connect();
  void begin_tls();
  void handshake();
  void send_request();
  void pump();  // writes what waits, reads what is there
  bool flush();
  void read();
  bool take(std::string_view bytes);

  Load& load_;
  const int name_;
  const int slot_;
  State state_ = State::kConnecting;
  int fd_ = -1;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  Response response_;
  Clock::time_point due_;
  std::string out_;
  std::size_t sent_ = 0;
  std::size_t body_left_ = 0;  // of the request's body, behind out_
  bool was_resumed_ = false;
  bool is_writing_ = false;
};

}  // namespace bench
