#include "connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace bench {
namespace {

constexpr std::size_t kBodyPiece = 256 * 1024;

const std::string& body_piece() {
  static const std::string piece(kBodyPiece, 'x');
  return piece;
}

std::string host_of(const Options& options, int name) {
  char text[256];
  std::snprintf(text, sizeof text, options.pattern.c_str(), name);
  return text;
}

}  // namespace

Connection::~Connection() {
  ssl_.reset();
  if (fd_ >= 0) ::close(fd_);
}

void Connection::fail(const std::string& why) {
  if (state_ == State::kFailed) return;
  state_ = State::kFailed;
  load_.on_failed(*this, why);
}

void Connection::start(Clock::time_point due) {
  due_ = due;
  const Options& options = load_.options();
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(options.proxy_port);
  if (fd_ < 0 || ::inet_pton(AF_INET, options.proxy_host.c_str(), &address.sin_addr) != 1) {
    fail("socket");
    return;
  }
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS) {
    fail("connect");
    return;
  }
  is_writing_ = true;
  load_.watch(*this, fd_, true);
}

void Connection::on_ready() {
  if (state_ == State::kConnecting) {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
      fail("connect");
      return;
    }
    const Options& options = load_.options();
    if (options.is_plain) {
      send_request();
    } else if (options.is_direct) {
      begin_tls();
    } else {
      send_connect();
    }
    return;
  }
  if (state_ == State::kHandshake) {
    handshake();
  } else {
    pump();
  }
}

void Connection::send_connect() {
  const Options& options = load_.options();
  const std::string target = host_of(options, name_) + ":" + std::to_string(options.port);
  out_ = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\n";
  sent_ = 0;
  response_.begin(Response::Kind::kConnect);
  state_ = State::kTunnel;
  pump();
}

void Connection::begin_tls() {
  ssl_.reset(SSL_new(load_.tls()));
  const std::string host = host_of(load_.options(), name_);
  SSL_set_fd(ssl_.get(), fd_);
  SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
  SSL_set1_host(ssl_.get(), host.c_str());
  SSL_set_app_data(ssl_.get(), this);
  if (SSL_SESSION* session = load_.session(name_)) SSL_set_session(ssl_.get(), session);
  SSL_set_connect_state(ssl_.get());
  state_ = State::kHandshake;
  handshake();
}

void Connection::handshake() {
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  if (done == 1) {
    was_resumed_ = SSL_session_reused(ssl_.get()) == 1;
    send_request();
    return;
  }
  const int error = SSL_get_error(ssl_.get(), done);
  const bool wants_write = error == SSL_ERROR_WANT_WRITE;
  if (error != SSL_ERROR_WANT_READ && !wants_write) {
    fail("TLS");
    return;
  }
  if (wants_write != is_writing_) load_.watch(*this, fd_, is_writing_ = wants_write);
}

void Connection::request(Clock::time_point due) {
  due_ = due;
  send_request();
}

void Connection::send_request() {
  const Options& options = load_.options();
  const std::string host = host_of(options, name_);
  const bool has_default_port = options.port == (options.is_plain ? 80 : 443);
  const std::string authority = has_default_port ? host : host + ":" + std::to_string(options.port);
  out_ = options.post_bytes > 0 ? "POST " : "GET ";
  if (options.is_plain && !options.is_direct) out_ += "http://" + authority;
  out_ +=
      options.path + " HTTP/1.1\r\nHost: " + authority + "\r\nUser-Agent: load\r\nAccept: */*\r\n";
  if (options.post_bytes > 0)
    out_ += "Content-Length: " + std::to_string(options.post_bytes) + "\r\n";
  out_ += "\r\n";
  sent_ = 0;
  body_left_ = options.post_bytes;
  // A small body goes out with its head, as clients do it.
  if (body_left_ > 0 && body_left_ <= kBodyPiece) {
    out_.append(body_piece(), 0, body_left_);
    body_left_ = 0;
  }
  response_.begin(Response::Kind::kUsual);
  state_ = State::kAnswer;
  pump();
}

void Connection::pump() {
  if (!flush()) return;
  read();
}

// False when the connection has failed.
bool Connection::flush() {
  bool is_blocked = false;
  while (!is_blocked && (sent_ < out_.size() || body_left_ > 0)) {
    const bool in_head = sent_ < out_.size();
    const char* data = in_head ? out_.data() + sent_ : body_piece().data();
    const std::size_t size = in_head ? out_.size() - sent_ : std::min(body_left_, kBodyPiece);
    std::size_t count = 0;
    if (ssl_) {
      ERR_clear_error();
      const int done = SSL_write_ex(ssl_.get(), data, size, &count);
      if (done != 1) {
        const int error = SSL_get_error(ssl_.get(), done);
        is_blocked = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
      }
      if (done != 1 && !is_blocked) {
        fail("write");
        return false;
      }
    } else {
      const ssize_t done = ::send(fd_, data, size, MSG_NOSIGNAL);
      is_blocked = done < 0 && errno == EAGAIN;
      if (done < 0 && !is_blocked) {
        fail("write");
        return false;
      }
      count = done > 0 ? static_cast<std::size_t>(done) : 0;
    }
    (in_head ? sent_ : body_left_) += in_head ? count : -count;
  }
  if (is_blocked != is_writing_) load_.watch(*this, fd_, is_writing_ = is_blocked);
  return true;
}

void Connection::read() {
  static char buffer[256 * 1024];
  for (;;) {
    std::size_t count = 0;
    if (ssl_) {
      ERR_clear_error();
      const int done = SSL_read_ex(ssl_.get(), buffer, sizeof buffer, &count);
      if (done != 1) {
        const int error = SSL_get_error(ssl_.get(), done);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
        fail(state_ == State::kIdle ? "closed while idle" : "closed");
        return;
      }
    } else {
      const ssize_t done = ::recv(fd_, buffer, sizeof buffer, 0);
      if (done < 0 && errno == EAGAIN) return;
      if (done <= 0) {
        fail(state_ == State::kIdle ? "closed while idle" : "closed");
        return;
      }
      count = static_cast<std::size_t>(done);
    }
    if (!take({buffer, count})) return;
  }
}

// False: no more is to be read now, and the connection may be gone.
bool Connection::take(std::string_view bytes) {
  if (state_ == State::kIdle) {
    fail("bytes that nobody asked for");
    return false;
  }
  response_.take(bytes);
  if (response_.is_bad() || (response_.is_done() && !bytes.empty())) {
    fail("not an answer");
    return false;
  }
  if (!response_.is_done()) return true;
  if (response_.status() != 200) {
    fail("status " + std::to_string(response_.status()));
    return false;
  }
  if (state_ == State::kTunnel) {
    begin_tls();
    return false;
  }
  const Options& options = load_.options();
  if (response_.body_bytes() != (options.is_echo ? options.post_bytes : options.expected_bytes)) {
    fail("wrong length");
    return false;
  }
  state_ = State::kIdle;
  load_.on_answer(*this);
  return false;
}

}  // namespace bench
