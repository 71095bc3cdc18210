// Bounds on each connection to the console: how many, from where, and how long one may take.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/ip_address.h"
#include "net/loop.h"

struct bufferevent;

namespace leash::console {

struct ConnectionLimits {
  std::size_t connections = 256;
  std::size_t per_address = 64;  // an IPv6 client counts by its /64
  // Of addresses that are refused everything, besides the others: so many at a time are told why.
  std::size_t unwelcome = 8;
  // What a request may have, head and body, without asking; what is beyond comes out of a room for
  // all, of which one address gets a share and an unwelcome one nothing.
  std::size_t request_bytes = std::size_t{64} * 1024;
  std::size_t room_bytes = std::size_t{24} * 1024 * 1024;
  std::size_t room_bytes_per_address = std::size_t{9} * 1024 * 1024;
  std::chrono::milliseconds request_time{15'000};  // head and body, from the first byte, whole
  std::chrono::milliseconds idle_time{60'000};     // before a first or a next request
  std::chrono::milliseconds answer_time{120'000};  // an answer that has an end, to a slow reader
};

// evhttp knows one limit, silence; a client that sends a byte now and then holds a connection for
// ever. This shares each connection's bufferevent with evhttp: it sees bytes come, and learns by
// the callbacks that are gone that evhttp has given the connection up. (A filter of libevent's
// between the two would be told at once; but with one evhttp takes an answer for sent that is not,
// and closes on it.) An agent's connections, and those beyond an address's share, are closed when
// they have been accepted: they take nobody's place. The loop's thread only.
class ConnectionGuard {
 public:
  using MakeSocket = std::function<bufferevent*()>;  // without a descriptor yet
  struct Options {
    ConnectionLimits limits;
    MakeSocket make_socket;
    std::function<bool(const base::IpAddress&)> is_welcome;
    // Called with false when no more connections are taken, with true when they are again.
    std::function<void(bool)> on_room;
  };
  ConnectionGuard(net::Loop& loop, Options options);
  ~ConnectionGuard();
  ConnectionGuard(const ConnectionGuard&) = delete;
  ConnectionGuard& operator=(const ConnectionGuard&) = delete;

  // For evhttp_set_bevcb. Null where there is no memory.
  [[nodiscard]] bufferevent* make();

  // The address that was asked for when the connection had just been accepted: a client can reset
  // it at any time, its kernel then knows no peer any more, and what it has sent can still be read.
  // nullopt: it was gone by then. Such a connection is closed unread; nobody may be served on it.
  [[nodiscard]] std::optional<base::SocketAddress> peer_of(bufferevent* made);

  // The stages of a connection that evhttp knows by `made`.
  void begin_answer(bufferevent* made);
  // An answer without an end, such as a stream of events; `on_gone` is called once when the client
  // has left.
  void begin_stream(bufferevent* made, std::function<void()> on_gone);
  void end_answer(bufferevent* made);

 private:
  struct Watched;
  struct Share {
    std::size_t connections = 0;
    std::size_t room_bytes = 0;
  };
  void sweep();
  void settle();
  void forget(Watched& watched);
  void drop(Watched& watched);
  bool take_room(Watched& watched);
  void give_room_back(Watched& watched);
  void stop_greedy(Watched& watched);
  void drop_greedy();
  void forget_given_up();
  void update_room();
  bool find_place(Watched& watched);
  [[nodiscard]] std::size_t taken() const { return watched_.size() - unwelcome_; }
  static void cut(Watched& watched);

  net::Loop& loop_;
  Options options_;
  std::unordered_map<bufferevent*, std::unique_ptr<Watched>> watched_;
  std::map<std::string, Share> per_address_;
  std::size_t room_used_ = 0;
  std::size_t unwelcome_ = 0;
  bool is_full_ = false;
  bool is_closing_ = false;
  std::vector<bufferevent*> accepted_;  // not looked at yet
  net::Deferred settling_;
  std::vector<bufferevent*> greedy_;  // to be dropped when evhttp is not at them
  net::Deferred dropping_;
  net::Timer timer_;
};

// What a client's attempts and connections are counted by: the address, of IPv6 the /64.
[[nodiscard]] std::string client_key(const std::string& address);

}  // namespace leash::console
