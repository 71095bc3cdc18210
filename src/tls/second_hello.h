// The second ClientHello that a server may ask for by HelloRetryRequest (RFC 8446 s. 4.1.4): it is
// sent in clear, nobody holds a server to comparing its name with the first one's, and so it has to
// be looked at like the first.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "tls/client_hello.h"

namespace leash::tls {

// Stands between a client and a server that speak TLS past us, behind the first hello. Sans-io.
class SecondHello {
 public:
  // `sent`: a first hello of `first_bytes` (ClientHello::bytes), and what came behind it. What of
  // it goes on now is appended to `out`.
  void begin(std::string_view sent, std::size_t first_bytes, std::string& out);
  // What of it, and of what was held back, goes on now, is appended to `out`. A handshake record is
  // held back until the server has answered, a second hello until it is whole; the client waits
  // for the server anyway. Errors: as peek_client_hello, of a second hello; bad_client_hello also
  // where more than kMaxHelloBytes would be held back.
  [[nodiscard]] base::Result<void> on_client(std::string_view bytes, std::string& out);
  // Only looked at. Then call on_client(), with nothing, for what was held back.
  void on_server(std::string_view bytes);
  // Once: the second hello, whose bytes went to `out` in the call before.
  [[nodiscard]] std::optional<ClientHello> take();
  // Nothing is looked at any more, all goes on.
  [[nodiscard]] bool is_over() const { return is_over_; }
  [[nodiscard]] std::size_t held_bytes() const { return held_.size() + answer_body_.size(); }

 private:
  enum class Answer { kNone, kRetry, kOther };
  [[nodiscard]] Answer judge_answer() const;

  bool is_over_ = false;
  std::string held_;           // from the client, from the beginning of a record on
  std::size_t body_left_ = 0;  // of the client's record that is passing
  std::optional<ClientHello> hello_;
  Answer answer_ = Answer::kNone;
  std::string answer_header_;  // of the server's record that is passing
  std::size_t answer_left_ = 0;
  std::string answer_body_;
};

}  // namespace leash::tls
