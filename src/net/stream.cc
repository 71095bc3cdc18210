#include "net/stream.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/text.h"

namespace leash::net {
namespace {

constexpr int kReadsPerWakeup = 4;
constexpr std::size_t kChunkBytes = 16 * 1024;  // small writes are joined up to this size
constexpr std::size_t kMaxPieces = 64;          // of one sendmsg

bool is_temporary(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS;
}

// Bytes that wait for the kernel, in order.
class SendQueue {
 public:
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  void push(std::string_view bytes) {
    if (bytes.empty()) return;
    bytes_ += bytes.size();
    if (first_ < chunks_.size() && chunks_.back().size() + bytes.size() <= kChunkBytes) {
      chunks_.back().append(bytes);
    } else {
      chunks_.emplace_back(bytes);
    }
  }

  std::size_t pieces(std::array<iovec, kMaxPieces>& out) {
    const std::size_t count = std::min(chunks_.size() - first_, kMaxPieces);
    for (std::size_t i = 0; i < count; ++i) {
      std::string& chunk = chunks_[first_ + i];
      const std::size_t skip = i == 0 ? offset_ : 0;
      out[i] = {chunk.data() + skip, chunk.size() - skip};
    }
    return count;
  }

  void drop(std::size_t count) {
    bytes_ -= count;
    offset_ += count;
    while (first_ < chunks_.size() && offset_ >= chunks_[first_].size()) {
      offset_ -= chunks_[first_].size();
      chunks_[first_] = std::string();
      ++first_;
    }
    if (first_ == chunks_.size()) {
      clear();
    } else if (first_ >= kMaxPieces) {  // moves pointers only
      chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
    }
  }

  void clear() {
    chunks_ = {};
    first_ = offset_ = bytes_ = 0;
  }

 private:
  std::vector<std::string> chunks_;
  std::size_t first_ = 0;   // chunks before it have gone
  std::size_t offset_ = 0;  // bytes of the first one that have gone
  std::size_t bytes_ = 0;
};

}  // namespace

struct Stream::Impl {
  Loop& loop;
  base::Fd fd;
  Handler* handler;  // nullptr once nobody listens any more
  base::Fault peer;
  std::shared_ptr<void> companion;
  Stream* self = nullptr;  // set while closing gently: what the loop keeps

  SendQueue queue;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  int write_error = 0;  // to be told from the loop
  bool is_reading = false;
  bool is_read_armed = false;
  bool is_write_armed = false;
  bool has_eof = false;
  bool wants_finish = false;
  bool is_finished = false;

  event read_event;
  event write_event;
  std::unique_ptr<Timer> grace;  // null until it closes gently

  Impl(Loop& the_loop, base::Fd the_fd, Handler& the_handler, base::Fault the_peer)
      : loop(the_loop), fd(std::move(the_fd)), handler(&the_handler), peer(the_peer) {
    const int on = 1;  // fails on a unix socket, which has no such delay
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    event_assign(&read_event, loop.base(), fd.get(), EV_READ | EV_PERSIST, &on_readable, this);
    event_assign(&write_event, loop.base(), fd.get(), EV_WRITE | EV_PERSIST, &on_writable, this);
  }
  ~Impl() { close(); }

  static void on_readable(evutil_socket_t, short, void* self) noexcept {
    static_cast<Impl*>(self)->read();
  }
  static void on_writable(evutil_socket_t, short, void* self) noexcept {
    static_cast<Impl*>(self)->writable();
  }

  // Pausing only notes it; the event goes when it fires in vain. So a pause that soon ends costs no
  // system call.
  void arm_read() {
    if (is_read_armed || has_eof || !fd.is_open()) return;
    is_read_armed = true;
    event_add(&read_event, nullptr);
  }
  void disarm_read() {
    if (!is_read_armed) return;
    is_read_armed = false;
    event_del(&read_event);
  }
  void arm_write() {
    if (is_write_armed) return;
    is_write_armed = true;
    event_add(&write_event, nullptr);
  }
  void disarm_write() {
    if (!is_write_armed) return;
    is_write_armed = false;
    event_del(&write_event);
  }

  void read() {
    if (!is_reading) {
      disarm_read();
      return;
    }
    const Loop::ReadBuffer lent(loop);
    char* const buffer = lent.data();
    for (int turn = 0; turn < kReadsPerWakeup; ++turn) {
      const ssize_t n = ::recv(fd.get(), buffer, Loop::kReadBufferBytes, MSG_DONTWAIT);
      if (n < 0) {
        if (!is_temporary(errno)) fail(errno);
        return;
      }
      if (n == 0) {
        eof();
        return;
      }
      const auto count = static_cast<std::size_t>(n);
      bytes_in += count;
      if (handler != nullptr) handler->on_bytes({buffer, count});
      if (!fd.is_open() || !is_reading || count < Loop::kReadBufferBytes) return;
    }
  }

  void eof() {
    has_eof = true;
    disarm_read();
    if (handler != nullptr) {
      handler->on_eof();
    } else {
      linger_on();
    }
  }

  // Closes, then tells.
  void fail(int error) {
    Handler* const told = handler;
    const base::Fault fault = peer;
    close();
    if (told == nullptr) {
      let_go();
      return;
    }
    told->on_error({base::Code::kReset, fault, base::errno_text(error)});
  }

  void write(std::string_view bytes) {
    if (!fd.is_open() || write_error != 0 || wants_finish || bytes.empty()) return;
    if (queue.bytes() == 0) {
      const ssize_t n = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n >= 0) {
        bytes_out += static_cast<std::size_t>(n);
        bytes.remove_prefix(static_cast<std::size_t>(n));
        if (bytes.empty()) return;
      } else if (!is_temporary(errno)) {
        write_failed(errno);
        return;
      }
    }
    queue.push(bytes);
    arm_write();
  }

  void write_failed(int error) {
    write_error = error;
    queue.clear();
    disarm_write();
    event_active(&write_event, EV_WRITE, 0);
  }

  void writable() {
    if (write_error != 0) {
      tell_write_error();
      return;
    }
    if (!flush()) return;
    disarm_write();
    if (wants_finish) shut_down();
    if (handler != nullptr) {
      handler->on_drained();
    } else {
      linger_on();
    }
  }

  // An origin that answers early and closes resets our next write, and its answer is still in the
  // receive buffer: the kernel gives that out before the error.
  void tell_write_error() {
    const int error = write_error;
    while (fd.is_open() && is_reading && !has_eof && handler != nullptr) {
      const std::uint64_t before = bytes_in;
      read();
      if (bytes_in == before) break;
    }
    if (fd.is_open()) fail(error);
  }

  // True when nothing is left.
  bool flush() {
    while (queue.bytes() > 0) {
      std::array<iovec, kMaxPieces> pieces;
      msghdr message{};
      message.msg_iov = pieces.data();
      message.msg_iovlen = queue.pieces(pieces);
      std::size_t offered = 0;
      for (std::size_t i = 0; i < message.msg_iovlen; ++i) offered += pieces[i].iov_len;
      const ssize_t n = ::sendmsg(fd.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0) {
        if (!is_temporary(errno)) {
          write_failed(errno);
        }
        return false;
      }
      bytes_out += static_cast<std::size_t>(n);
      queue.drop(static_cast<std::size_t>(n));
      if (static_cast<std::size_t>(n) < offered) return false;
    }
    return true;
  }

  void shut_down() {
    if (is_finished || !fd.is_open()) return;
    is_finished = true;
    ::shutdown(fd.get(), SHUT_WR);
  }

  void close() {
    if (!fd.is_open()) return;
    event_del(&read_event);
    event_del(&write_event);
    is_read_armed = is_write_armed = is_reading = false;
    queue.clear();
    fd.reset();
    companion.reset();
  }

  // Nobody listens: done once all is sent and the peer's FIN is here.
  void linger_on() {
    if (queue.bytes() > 0 || write_error != 0) return;
    shut_down();
    if (has_eof) let_go();
  }

  void let_go() {
    close();
    if (grace) grace->stop();
    if (self != nullptr) loop.release(std::exchange(self, nullptr));
  }
};

Stream::Stream(Loop& loop, base::Fd fd, Handler& handler, base::Fault peer)
    : impl_(std::make_unique<Impl>(loop, std::move(fd), handler, peer)) {}

Stream::~Stream() = default;

void Stream::set_handler(Handler& handler) { impl_->handler = &handler; }

void Stream::write(std::string_view bytes) { impl_->write(bytes); }

std::size_t Stream::queued_bytes() const { return impl_->queue.bytes(); }

void Stream::pause_reading() { impl_->is_reading = false; }

void Stream::resume_reading() {
  if (!impl_->fd.is_open()) return;
  impl_->is_reading = true;
  impl_->arm_read();
}

bool Stream::is_reading() const { return impl_->is_reading; }

void Stream::finish_writing() {
  if (impl_->wants_finish || !impl_->fd.is_open()) return;
  impl_->wants_finish = true;
  if (impl_->queue.bytes() == 0) impl_->shut_down();
}

void Stream::close_gently(std::unique_ptr<Stream> stream, std::chrono::milliseconds grace,
                          std::shared_ptr<void> companion) {
  if (!stream) return;
  Impl& impl = *stream->impl_;
  Loop& loop = impl.loop;
  impl.handler = nullptr;
  if (!impl.fd.is_open() || impl.write_error != 0) {
    impl.close();
    loop.bury(std::move(stream));
    return;
  }
  impl.self = stream.get();
  impl.companion = std::move(companion);
  loop.keep(std::move(stream));
  impl.wants_finish = true;
  impl.is_reading = true;
  impl.arm_read();
  impl.grace = std::make_unique<Timer>(loop, [&impl] { impl.let_go(); });
  impl.grace->start(grace);
  impl.linger_on();
}

void Stream::close() { impl_->close(); }

bool Stream::is_open() const { return impl_->fd.is_open(); }

int Stream::fd() const { return impl_->fd.get(); }

std::uint64_t Stream::bytes_in() const { return impl_->bytes_in; }

std::uint64_t Stream::bytes_out() const { return impl_->bytes_out; }

void Stream::read_waiting() {
  if (impl_->is_reading && impl_->fd.is_open()) impl_->read();
}

bool Stream::is_quiet() const {
  if (!is_open() || impl_->has_eof || impl_->write_error != 0) return false;
  char byte = 0;
  return ::recv(fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace leash::net
