#include "tls/second_hello.h"

#include <algorithm>
#include <utility>

#include "tls/record_header.h"

namespace leash::tls {
namespace {

constexpr char kServerHelloMessage = 2;
// SHA-256 of "HelloRetryRequest", where another ServerHello has its random bytes (RFC 8446
// s. 4.1.3).
constexpr std::string_view kRetryRandom =
    "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91"
    "\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c";
constexpr std::size_t kRandomAt = kMessageHeaderBytes + 2;

std::size_t number(std::string_view bytes) {
  std::size_t value = 0;
  for (const char c : bytes) value = value << 8U | static_cast<unsigned char>(c);
  return value;
}

std::size_t body_bytes(std::string_view record) { return number(record.substr(3, 2)); }

}  // namespace

void SecondHello::begin(std::string_view sent, std::size_t first_bytes, std::string& out) {
  out.append(sent.substr(0, first_bytes));
  // There is no answer yet, so no second hello that could be bad.
  static_cast<void>(on_client(sent.substr(first_bytes), out));
}

base::Result<void> SecondHello::on_client(std::string_view bytes, std::string& out) {
  held_.append(bytes);
  std::size_t passed = 0;
  while (!is_over_) {
    const std::string_view rest = std::string_view(held_).substr(passed);
    if (body_left_ > 0) {
      const std::size_t size = std::min(body_left_, rest.size());
      if (size == 0) break;
      body_left_ -= size;
      passed += size;
      continue;
    }
    if (rest.empty()) break;
    if (rest.front() == kHandshakeRecord) {
      if (answer_ != Answer::kRetry) break;
      auto hello = peek_client_hello(rest);
      if (!hello) return tl::unexpected(hello.error());
      if (!*hello) break;
      hello_ = std::move(*hello);
      is_over_ = true;
    } else if (rest.size() < kRecordHeaderBytes) {
      break;
    } else {
      body_left_ = body_bytes(rest);
      passed += kRecordHeaderBytes;
    }
  }
  if (is_over_) passed = held_.size();
  out.append(held_, 0, passed);
  held_.erase(0, passed);
  if (held_.size() > kMaxHelloBytes) {
    return base::fail(base::Code::kBadClientHello, base::Fault::kClient,
                      "too much of a handshake before the server has answered");
  }
  return {};
}

void SecondHello::on_server(std::string_view bytes) {
  while (answer_ == Answer::kNone && !bytes.empty()) {
    if (answer_left_ == 0) {
      const std::size_t size = std::min(kRecordHeaderBytes - answer_header_.size(), bytes.size());
      answer_header_.append(bytes.substr(0, size));
      bytes.remove_prefix(size);
      if (answer_header_.front() != kHandshakeRecord) answer_ = Answer::kOther;
      if (answer_header_.size() < kRecordHeaderBytes) continue;
      answer_left_ = body_bytes(answer_header_);
      answer_header_.clear();
      continue;
    }
    const std::size_t size = std::min({answer_left_, bytes.size(), std::size_t{64}});
    answer_body_.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
    answer_left_ -= size;
    answer_ = judge_answer();
  }
  if (answer_ == Answer::kOther) is_over_ = true;
}

SecondHello::Answer SecondHello::judge_answer() const {
  if (answer_body_.empty()) return Answer::kNone;
  if (answer_body_.front() != kServerHelloMessage) return Answer::kOther;
  if (answer_body_.size() < kRandomAt + kRetryRandom.size()) return Answer::kNone;
  const bool is_retry = answer_body_.compare(kRandomAt, kRetryRandom.size(), kRetryRandom) == 0;
  return is_retry ? Answer::kRetry : Answer::kOther;
}

std::optional<ClientHello> SecondHello::take() { return std::exchange(hello_, std::nullopt); }

}  // namespace leash::tls
