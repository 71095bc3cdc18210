#include "signer/wire.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace leash::signer {
namespace {

using base::Code;
using base::Fault;

constexpr std::size_t kMaxNameBytes = 253;
constexpr std::size_t kMaxTextBytes = kMaxAnswerBytes / 4;
constexpr std::int64_t kMaxSeconds = 1LL << 33;  // of a time, either way: what nanoseconds hold

void put_number(std::string& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = bytes; i > 0; --i) out.push_back(static_cast<char>(value >> (i - 1) * 8));
}
void put_text(std::string& out, std::string_view text) {
  const std::string_view cut = text.substr(0, kMaxTextBytes);
  put_number(out, cut.size(), 2);
  out.append(cut);
}
void put_time(std::string& out, std::chrono::system_clock::time_point time) {
  put_number(out, static_cast<std::uint64_t>(std::chrono::system_clock::to_time_t(time)), 8);
}

// Takes pieces off the front; once one is missing, nothing more comes and `is_whole` is false.
class Pieces {
 public:
  explicit Pieces(std::string_view rest) : rest_(rest) {}

  std::string_view bytes(std::size_t count) {
    if (count > rest_.size()) is_short_ = true;
    if (is_short_) return {};
    const std::string_view piece = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return piece;
  }
  std::uint64_t number(std::size_t count) {
    std::uint64_t value = 0;
    for (const char c : bytes(count)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string text() {
    const std::uint64_t size = number(2);
    if (size > kMaxTextBytes) is_short_ = true;
    return std::string(bytes(size));
  }
  std::chrono::system_clock::time_point time() {
    const auto seconds = static_cast<std::int64_t>(number(8));
    if (seconds > kMaxSeconds || seconds < -kMaxSeconds) is_short_ = true;
    return std::chrono::system_clock::from_time_t(is_short_ ? 0 : seconds);
  }
  [[nodiscard]] std::string_view rest() const { return is_short_ ? std::string_view() : rest_; }
  [[nodiscard]] bool is_whole() const { return !is_short_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool is_short_ = false;
};

base::Result<base::Host> read_host(char form, std::string_view bytes) {
  if (form == 'n') {
    if (bytes.size() > kMaxNameBytes) return base::fail(Code::kHostTooLong, Fault::kClient);
    auto host = base::Host::parse(bytes);
    if (host && (host->is_ip() || host->text() != bytes)) {
      return base::fail(Code::kBadHost, Fault::kClient, "not in canonical form");
    }
    return host;
  }
  const auto at = [bytes](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  if (form == '4' && bytes.size() == 4) {
    return base::Host::from_ip(base::IpAddress::v4(static_cast<std::uint32_t>(at(0)) << 24 |
                                                   static_cast<std::uint32_t>(at(1)) << 16 |
                                                   static_cast<std::uint32_t>(at(2)) << 8 | at(3)));
  }
  if (form == '6' && bytes.size() == 16) {
    std::array<std::uint8_t, 16> raw{};
    for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = at(i);
    auto host = base::Host::from_ip(base::IpAddress::v6(raw));
    // A mapped IPv4 address is that IPv4 address everywhere, and has no other leaf.
    if (!host.ip()->is_v4()) return host;
  }
  return base::fail(Code::kBadSyntax, Fault::kClient, "no address");
}

}  // namespace

std::string write_request(const Request& request) {
  std::string out = "M";
  put_number(out, request.id, 8);
  if (!request.host.is_ip()) {
    out.append("n").append(request.host.text());
    return out;
  }
  const auto& bytes = request.host.ip()->bytes();
  const bool is_v4 = request.host.ip()->is_v4();
  out.push_back(is_v4 ? '4' : '6');
  out.append(reinterpret_cast<const char*>(bytes.data()), is_v4 ? 4 : 16);
  return out;
}

base::Result<Request> read_request(std::string_view message) {
  Pieces pieces(message);
  const std::string_view type = pieces.bytes(1);
  Request out;
  out.id = pieces.number(8);
  const std::string_view form = pieces.bytes(1);
  if (type != "M" || form.empty()) {
    return base::fail(Code::kBadSyntax, Fault::kClient, "no request for a leaf");
  }
  auto host = read_host(form[0], pieces.rest());
  if (!host) return tl::unexpected(std::move(host.error()));
  out.host = std::move(*host);
  return out;
}

std::string write_answer(const Answer& answer) {
  std::string out;
  switch (answer.kind) {
    case Answer::Kind::kReady:
      out = "R";
      put_text(out, answer.text);
      put_text(out, answer.pem);
      break;
    case Answer::Kind::kFailed:
    case Answer::Kind::kRefused:
      out = answer.kind == Answer::Kind::kFailed ? "F" : "N";
      put_number(out, answer.id, 8);
      put_number(out, static_cast<std::uint64_t>(answer.code), 2);
      put_text(out, answer.text);
      break;
    case Answer::Kind::kLeaf:
      out = "L";
      out.reserve(64 + answer.leaf.der.size() + answer.leaf.signature.size());
      put_number(out, answer.id, 8);
      put_time(out, answer.leaf.not_before);
      put_time(out, answer.leaf.not_after);
      out.append(reinterpret_cast<const char*>(answer.leaf.serial.data()),
                 answer.leaf.serial.size());
      put_text(out, answer.leaf.signature);
      put_text(out, answer.leaf.der);
      break;
  }
  return out;
}

base::Result<Answer> read_answer(std::string_view message) {
  Pieces pieces(message);
  const std::string_view type = pieces.bytes(1);
  Answer out;
  if (type == "R") {
    out.text = pieces.text();
    out.pem = pieces.text();
  } else if (type == "F" || type == "N") {
    out.kind = type == "F" ? Answer::Kind::kFailed : Answer::Kind::kRefused;
    out.id = pieces.number(8);
    const auto code = pieces.number(2);
    if (code <= static_cast<std::uint64_t>(Code::kInternal)) out.code = static_cast<Code>(code);
    out.text = pieces.text();
  } else if (type == "L") {
    out.kind = Answer::Kind::kLeaf;
    out.id = pieces.number(8);
    out.leaf.not_before = pieces.time();
    out.leaf.not_after = pieces.time();
    const std::string_view serial = pieces.bytes(out.leaf.serial.size());
    std::copy(serial.begin(), serial.end(), out.leaf.serial.begin());
    out.leaf.signature = pieces.text();
    out.leaf.der = pieces.text();
  } else {
    return base::fail(Code::kBadSyntax, Fault::kProxy, "no answer of a signer");
  }
  if (!pieces.is_whole()) return base::fail(Code::kBadSyntax, Fault::kProxy, "a broken answer");
  return out;
}

}  // namespace leash::signer
