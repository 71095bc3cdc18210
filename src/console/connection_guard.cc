#include "console/connection_guard.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "base/ip_address.h"
#include "net/sockaddr.h"

namespace leash::console {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kSweep{200};
// Accepted at a time; whoever is faster than we are at closing does not keep the loop from others.
constexpr std::size_t kMostAccepted = 64;

enum class Stage { kIdle, kRequest, kAnswer, kStream };

}  // namespace

std::string client_key(const std::string& address) {
  const auto ip = base::IpAddress::parse(address);
  if (!ip || ip->is_v4()) return address;
  auto bytes = ip->bytes();
  std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
  return base::IpAddress::v6(bytes).text() + "/64";
}

struct ConnectionGuard::Watched {
  ConnectionGuard* guard = nullptr;
  bufferevent* made = nullptr;  // one reference is ours
  Stage stage = Stage::kIdle;
  Clock::time_point deadline;
  std::optional<base::SocketAddress> peer;
  std::string address;  // counted under; "" not at all
  bool is_unwelcome = false;
  std::size_t request_bytes = 0;
  std::size_t room_bytes = 0;  // of the common room
  std::function<void()> on_gone;

  void enter(Stage next, std::chrono::milliseconds time) {
    stage = next;
    deadline = guard->loop_.now() + time;
  }

  static void on_input(evbuffer*, const evbuffer_cb_info* info, void* self) noexcept {
    auto& watched = *static_cast<Watched*>(self);
    if (info->n_added == 0) return;
    watched.request_bytes += info->n_added;
    if (!watched.guard->take_room(watched)) watched.guard->stop_greedy(watched);
    if (watched.stage == Stage::kIdle) {
      watched.enter(Stage::kRequest, watched.guard->options_.limits.request_time);
    }
  }

  // evhttp takes its callbacks away when it frees a connection, and never before.
  [[nodiscard]] bool is_given_up() const {
    bufferevent_data_cb read = nullptr;
    bufferevent_data_cb write = nullptr;
    bufferevent_event_cb event = nullptr;
    void* argument = nullptr;
    bufferevent_getcb(made, &read, &write, &event, &argument);
    return read == nullptr && write == nullptr && event == nullptr;
  }
};

ConnectionGuard::ConnectionGuard(net::Loop& loop, Options options)
    : loop_(loop),
      options_(std::move(options)),
      settling_(loop, [this] { settle(); }),
      dropping_(loop, [this] { drop_greedy(); }),
      timer_(loop, [this] { sweep(); }) {
  timer_.start(kSweep);
}

ConnectionGuard::~ConnectionGuard() {
  is_closing_ = true;
  while (!watched_.empty()) forget(*watched_.begin()->second);
}

bufferevent* ConnectionGuard::make() {
  bufferevent* made = options_.make_socket();
  if (made == nullptr) return nullptr;
  bufferevent_incref(made);
  auto watched = std::make_unique<Watched>();
  watched->guard = this;
  watched->made = made;
  watched->enter(Stage::kIdle, options_.limits.request_time);  // the first request may not wait
  evbuffer_add_cb(bufferevent_get_input(made), &Watched::on_input, watched.get());
  watched_.emplace(made, std::move(watched));
  // evhttp gives it its descriptor when this has returned.
  accepted_.push_back(made);
  settling_.schedule();
  update_room();
  return made;
}

// Runs before the loop looks for what there is to read.
void ConnectionGuard::settle() {
  for (bufferevent* made : std::exchange(accepted_, {})) {
    const auto found = watched_.find(made);
    if (found == watched_.end()) continue;
    Watched& watched = *found->second;
    watched.peer = net::peer_address(bufferevent_getfd(made));
    if (!watched.peer || !find_place(watched)) drop(watched);
  }
  if (is_full_) forget_given_up();
  update_room();
}

// False: its address has what it may have.
bool ConnectionGuard::find_place(Watched& watched) {
  const ConnectionLimits& limits = options_.limits;
  if (!options_.is_welcome(watched.peer->ip)) {
    if (unwelcome_ >= limits.unwelcome) forget_given_up();
    if (unwelcome_ >= limits.unwelcome) return false;
    watched.is_unwelcome = true;
    ++unwelcome_;
    return true;
  }
  std::string address = client_key(watched.peer->ip.text());
  const auto has_share = [&] {
    const auto found = per_address_.find(address);
    return found != per_address_.end() && found->second.connections >= limits.per_address;
  };
  if (has_share()) forget_given_up();
  if (has_share()) return false;
  ++per_address_[address].connections;
  watched.address = std::move(address);
  return true;
}

void ConnectionGuard::update_room() {
  if (is_closing_) return;
  const bool is_full = taken() >= options_.limits.connections || accepted_.size() >= kMostAccepted;
  if (is_full == is_full_) return;
  is_full_ = is_full;
  options_.on_room(!is_full);
}

std::optional<base::SocketAddress> ConnectionGuard::peer_of(bufferevent* made) {
  const auto found = watched_.find(made);
  return found == watched_.end() ? std::nullopt : found->second->peer;
}

void ConnectionGuard::begin_answer(bufferevent* made) {
  const auto found = watched_.find(made);
  if (found != watched_.end()) found->second->enter(Stage::kAnswer, options_.limits.answer_time);
}

void ConnectionGuard::begin_stream(bufferevent* made, std::function<void()> on_gone) {
  const auto found = watched_.find(made);
  if (found == watched_.end()) return;
  found->second->stage = Stage::kStream;
  found->second->on_gone = std::move(on_gone);
}

void ConnectionGuard::end_answer(bufferevent* made) {
  const auto found = watched_.find(made);
  if (found == watched_.end()) return;
  Watched& watched = *found->second;
  watched.enter(Stage::kIdle, options_.limits.idle_time);
  // What is there already belongs to the next one.
  watched.request_bytes = evbuffer_get_length(bufferevent_get_input(made));
  give_room_back(watched);
  if (!take_room(watched)) stop_greedy(watched);
}

// Of what a request has, in the buffer or taken along by evhttp. False: there is no room for it.
bool ConnectionGuard::take_room(Watched& watched) {
  const ConnectionLimits& limits = options_.limits;
  if (watched.request_bytes <= limits.request_bytes + watched.room_bytes) return true;
  const std::size_t more = watched.request_bytes - limits.request_bytes - watched.room_bytes;
  const auto share = per_address_.find(watched.address);
  if (share == per_address_.end() || room_used_ + more > limits.room_bytes ||
      share->second.room_bytes + more > limits.room_bytes_per_address) {
    return false;
  }
  watched.room_bytes += more;
  share->second.room_bytes += more;
  room_used_ += more;
  return true;
}

void ConnectionGuard::give_room_back(Watched& watched) {
  const std::size_t bytes = std::exchange(watched.room_bytes, 0);
  room_used_ -= bytes;
  if (bytes > 0) per_address_.find(watched.address)->second.room_bytes -= bytes;
}

void ConnectionGuard::stop_greedy(Watched& watched) {
  bufferevent_disable(watched.made, EV_READ);
  greedy_.push_back(watched.made);
  dropping_.schedule();
}

void ConnectionGuard::drop_greedy() {
  forget_given_up();
  for (bufferevent* made : std::exchange(greedy_, {})) {
    const auto found = watched_.find(made);
    // One whose last bytes these were is being answered.
    if (found == watched_.end() || found->second->stage != Stage::kRequest) continue;
    if (take_room(*found->second)) {
      bufferevent_enable(made, EV_READ);
    } else {
      drop(*found->second);
    }
  }
}

void ConnectionGuard::forget(Watched& watched) {
  bufferevent* made = watched.made;
  give_room_back(watched);
  const auto share = per_address_.find(watched.address);
  if (share != per_address_.end() && --share->second.connections == 0) per_address_.erase(share);
  if (watched.is_unwelcome) --unwelcome_;
  evbuffer_remove_cb(bufferevent_get_input(made), &Watched::on_input, &watched);
  watched_.erase(made);
  bufferevent_disable(made, EV_READ | EV_WRITE);
  bufferevent_decref(made);
}

void ConnectionGuard::forget_given_up() {
  std::vector<Watched*> given_up;
  for (const auto& [made, watched] : watched_) {
    if (watched->is_given_up()) given_up.push_back(watched.get());
  }
  for (Watched* watched : given_up) forget(*watched);
}

// evhttp sees an end of file or a broken pipe and frees the connection.
void ConnectionGuard::cut(Watched& watched) {
  const int fd = bufferevent_getfd(watched.made);
  if (fd >= 0) ::shutdown(fd, SHUT_RDWR);
}

// At once and unread: evhttp is told that reading has failed. Not from one of its callbacks.
void ConnectionGuard::drop(Watched& watched) {
  bufferevent_trigger_event(watched.made, BEV_EVENT_READING | BEV_EVENT_ERROR, 0);
  if (watched.is_given_up()) {
    forget(watched);
  } else {
    cut(watched);
  }
}

void ConnectionGuard::sweep() {
  forget_given_up();
  update_room();
  const auto now = loop_.now();
  std::vector<std::function<void()>> gone;
  for (const auto& [made, watched] : watched_) {
    const bool is_stream = watched->stage == Stage::kStream;
    if (!is_stream && now >= watched->deadline) {
      cut(*watched);
    } else if (is_stream) {
      // evhttp does not read while it answers, so it would not see the client leave.
      char byte = 0;
      const int fd = bufferevent_getfd(watched->made);
      const auto got = fd < 0 ? 0 : ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      const bool is_gone = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
      if (is_gone && watched->on_gone) gone.push_back(std::exchange(watched->on_gone, nullptr));
    }
  }
  for (const auto& tell : gone) tell();
  timer_.start(kSweep);
}

}  // namespace leash::console
