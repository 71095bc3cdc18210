// The HTTP/1 codec on an origin connection: one exchange at a time.
#pragma once

#include <memory>

#include "http/h1_parser.h"
#include "proxy/origin_leg.h"

namespace leash::proxy {

class H1OriginLeg final : public OriginLeg {
 public:
  H1OriginLeg(Transport& transport, const http::Limits& limits, Owner& owner);
  ~H1OriginLeg() override;

  std::unique_ptr<OriginStream> open(OriginEvents& events, const OriginFacts& facts) override;
  [[nodiscard]] bool can_open() const override { return stream_ == nullptr && !is_broken_; }
  [[nodiscard]] bool is_unused() const override { return stream_ == nullptr; }
  [[nodiscard]] bool is_broken() const override { return is_broken_; }
  [[nodiscard]] bool is_shared() const override { return false; }

  void on_bytes(std::string_view bytes) override;
  void on_eof(End end) override;
  void on_error(base::Error error) override;
  void on_drained() override;

 private:
  class Stream;
  void deliver(http::ResponseEvent event);
  void break_off(base::Error error);
  void free_stream();

  Transport& transport_;
  http::ResponseParser parser_;
  Owner& owner_;
  Stream* stream_ = nullptr;
  bool is_persistent_ = true;
  bool request_sent_ = false;  // whole
  bool response_ended_ = false;
  bool got_bytes_ = false;
  bool is_raw_ = false;
  bool is_chunked_ = false;  // the request
  bool is_broken_ = false;
};

}  // namespace leash::proxy
