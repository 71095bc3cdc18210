// A connected non-blocking socket: bytes in by callback, bytes out through a queue with a
// high-water mark.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"
#include "net/loop.h"

namespace leash::net {

class Stream {
 public:
  class Handler {
   public:
    // Bytes read; the view dies with the call. The handler may pause, write, or close the stream
    // inside any of these, but must not destroy it (Loop::bury does that later).
    virtual void on_bytes(std::string_view bytes) = 0;
    // The peer has ended its direction. Called once; writing still works.
    virtual void on_eof() = 0;
    // The connection is dead: reset, with the system's words for it. Called at most once, nothing
    // after it, and the stream is closed by then. What the peer had sent before is handed over
    // first where reading is on.
    virtual void on_error(base::Error error) = 0;
    // The queue has become empty after write() had to queue something.
    virtual void on_drained() = 0;

   protected:
    ~Handler() = default;
  };

  // Takes the descriptor (TCP_NODELAY set where it is TCP; no call waits, whatever its flags say).
  // Reading starts paused. `peer` is the fault that on_error gives its errors.
  Stream(Loop& loop, base::Fd fd, Handler& handler, base::Fault peer = base::Fault::kOrigin);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Another one takes over (an idle pooled connection that is used again).
  void set_handler(Handler& handler);

  // Sends at once what the kernel takes and queues the rest: the caller looks at queued_bytes() for
  // back-pressure. Never calls the handler from inside (errors come from the loop).
  void write(std::string_view bytes);
  [[nodiscard]] std::size_t queued_bytes() const;

  // While reading is paused a dead peer goes unnoticed until the next resume or write.
  void pause_reading();
  void resume_reading();
  [[nodiscard]] bool is_reading() const;

  // Half-closes once the queue is empty; what is written after this call is dropped.
  void finish_writing();
  // Closes once the queue is empty and the peer has taken it (or `grace` has passed, or it resets):
  // FIN, then what still comes is thrown away, so that an answer is not lost to a RST. No callbacks
  // any more. The stream goes on by itself; the owner may be destroyed. `stream` must not be used
  // afterwards.
  // `companion` is let go when the descriptor is closed.
  static void close_gently(std::unique_ptr<Stream> stream, std::chrono::milliseconds grace,
                           std::shared_ptr<void> companion = {});
  // At once. No callbacks any more.
  void close();
  [[nodiscard]] bool is_open() const;

  [[nodiscard]] int fd() const;
  // Bytes of the payload read and written since the start.
  [[nodiscard]] std::uint64_t bytes_in() const;
  [[nodiscard]] std::uint64_t bytes_out() const;
  // Without reading a byte: has the peer closed, or sent something? What a pool asks of an idle
  // connection.
  [[nodiscard]] bool is_quiet() const;
  // Takes in now what the loop would bring in its next turn; the handler is called from inside.
  void read_waiting();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace leash::net
