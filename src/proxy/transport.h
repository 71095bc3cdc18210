// One connection as plaintext: a socket stream, with a TLS engine on it once TLS has begun.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"
#include "base/ip_address.h"
#include "net/loop.h"
#include "net/stream.h"
#include "tls/engine.h"

namespace leash::proxy {

// How the peer ended its direction.
enum class End {
  kClean,      // FIN without TLS, or close_notify
  kTruncated,  // FIN inside TLS without close_notify: a body until close is not known to be whole
};

class Transport final : public net::Stream::Handler {
 public:
  class Handler {
   public:
    virtual void on_bytes(std::string_view plain) = 0;
    virtual void on_eof(End end) = 0;
    // The connection is dead; nothing comes after it.
    virtual void on_error(base::Error error) = 0;
    // All that was written has gone to the kernel.
    virtual void on_drained() = 0;
    // TLS is up; bytes follow.
    virtual void on_established() = 0;

   protected:
    ~Handler() = default;
  };

  Transport(net::Loop& loop, base::Fd fd, Handler& handler);
  ~Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // The side that accepts passes what it has read already; the side that connects passes nothing.
  // On a connection that has TLS already, the new one runs inside it.
  void start_tls(std::unique_ptr<tls::Engine> engine, std::string_view first_bytes);
  // A handshake that waited for its leaf goes on.
  void resume_tls(const base::Result<void>& result);

  // Collected, and sent at the end of this loop turn: a head and its body share a record and a
  // system call.
  void write(std::string_view plain);
  // Sends now what write() has collected.
  void flush();
  [[nodiscard]] std::size_t queued_bytes() const;

  void pause_reading();
  void resume_reading();

  // Ends our direction after what is queued.
  void finish_writing();
  // Destroyed when the socket is closed, which after close_gently() is later than the end of this.
  void keep_to_the_end(std::shared_ptr<void> companion) { companion_ = std::move(companion); }
  // Sends what is queued, ends our direction, and closes once the peer has it. No callbacks any
  // more.
  void close_gently();
  // At once, no callbacks any more.
  void close();
  [[nodiscard]] bool is_open() const { return stream_ != nullptr; }
  // The address that the peer has connected to; nullopt on a unix socket, or when closed.
  [[nodiscard]] std::optional<base::SocketAddress> local_address() const;

  [[nodiscard]] const tls::Engine* engine() const { return engine_.get(); }
  [[nodiscard]] bool is_established() const { return engine_ && engine_->is_established(); }
  // Gives back what an idle connection does not need.
  void trim();
  // No byte and no FIN waits in the kernel.
  [[nodiscard]] bool is_quiet() const { return stream_ && stream_->is_quiet(); }
  // Takes in now what waits there. The handler is called from inside.
  void read_waiting() {
    if (stream_) stream_->read_waiting();
  }

 private:
  void on_bytes(std::string_view bytes) override;
  void on_eof() override;
  void on_error(base::Error error) override;
  void on_drained() override;

  void receive(std::string_view cipher);
  void fail(base::Error error);
  void send_output();
  void encrypt(std::string_view plain);
  void on_turn_end();
  // Once nothing is queued any more, here or in the engine.
  void tell_drained();

  net::Loop& loop_;
  Handler* handler_;
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<tls::Engine> engine_;
  std::shared_ptr<void> companion_;
  std::string plain_;
  bool is_established_told_ = false;
  bool is_drain_untold_ = false;
  std::optional<base::Error> broken_;  // could not be written to, which is not told yet
  bool ended_ = false;
  net::Deferred flush_;  // of what was written in small pieces
};

}  // namespace leash::proxy
