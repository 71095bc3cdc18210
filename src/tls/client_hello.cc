#include "tls/client_hello.h"

#include <algorithm>
#include <cstdint>

#include "tls/record_header.h"

namespace leash::tls {
namespace {

using base::Code;
using base::Fault;

constexpr unsigned char kClientHelloMessage = 1;
constexpr std::size_t kMaxServerNameBytes = 255;

tl::unexpected<base::Error> bad(std::string why) {
  return base::fail(Code::kBadClientHello, Fault::kClient, std::move(why));
}

// Takes big-endian numbers and counted byte strings off the front; once short, it stays failed.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}

  std::size_t number(std::size_t width) {
    std::size_t value = 0;
    for (const char c : take(width)) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  std::string_view take(std::size_t count) {
    if (count > rest_.size()) {
      is_short_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view out = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return out;
  }
  // A string behind its length of `width` bytes.
  std::string_view counted(std::size_t width) { return take(number(width)); }

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] bool is_short() const { return is_short_; }

 private:
  std::string_view rest_;
  bool is_short_ = false;
};

struct Framing {
  std::size_t message_bytes = 0;  // with its header; 0 while unknown
  bool is_complete = false;
  std::size_t bytes = 0;  // of the records, once complete
};

// Walks over the record headers, takes up the message's header wherever it is split. Each error
// depends only on bytes that come before everything a later call could add, so more bytes never
// change a verdict.
class RecordWalk {
 public:
  explicit RecordWalk(std::string_view bytes) : all_(bytes), rest_(bytes) {}

  base::Result<Framing> run() {
    while (!rest_.empty()) {
      if (auto ok = begin_record(); !ok) return tl::unexpected(ok.error());
      if (rest_.size() < kRecordHeaderBytes) return Framing{message_bytes_};
      rest_.remove_prefix(kRecordHeaderBytes);
      const std::string_view fragment = rest_.substr(0, std::min(record_bytes_, rest_.size()));
      rest_.remove_prefix(fragment.size());
      if (auto ok = add(fragment); !ok) return tl::unexpected(ok.error());
      if (message_bytes_ != 0 && have_ == message_bytes_) {
        return Framing{message_bytes_, true, all_.size() - rest_.size()};
      }
    }
    return Framing{message_bytes_};
  }

 private:
  base::Result<void> begin_record() {
    const auto at = [this](std::size_t i) { return static_cast<unsigned char>(rest_[i]); };
    if (at(0) != kHandshakeRecord) return bad("a record that is not of the handshake");
    if (rest_.size() >= 2 && at(1) != 3) return bad("not a TLS record");
    if (rest_.size() < kRecordHeaderBytes) return {};
    record_bytes_ = static_cast<std::size_t>(at(3)) << 8 | at(4);
    if (record_bytes_ == 0) return bad("an empty record");
    if (record_bytes_ > kMaxRecordPlainBytes) return bad("a record that is too long");
    announced_ += record_bytes_;
    return check_end();
  }

  base::Result<void> add(std::string_view fragment) {
    for (; message_bytes_ == 0 && !fragment.empty(); fragment.remove_prefix(1)) {
      header_ = header_ << 8 | static_cast<unsigned char>(fragment.front());
      ++have_;
      if (have_ == 1 && header_ != kClientHelloMessage) return bad("not a ClientHello");
      if (have_ < kMessageHeaderBytes) continue;
      message_bytes_ = (header_ & 0xffffff) + kMessageHeaderBytes;
      if (message_bytes_ > kMaxHelloBytes) return bad("the ClientHello is too long");
      if (auto ok = check_end(); !ok) return ok;
    }
    have_ += fragment.size();
    return {};
  }

  // RFC 8446 s. 5.1: the ClientHello is the last message of its record.
  [[nodiscard]] base::Result<void> check_end() const {
    if (message_bytes_ != 0 && announced_ > message_bytes_) {
      return bad("bytes after the ClientHello");
    }
    return {};
  }

  const std::string_view all_;
  std::string_view rest_;
  std::size_t record_bytes_ = 0;
  std::size_t announced_ = 0;  // payload, by the record headers so far
  std::size_t have_ = 0;       // message bytes, header included
  std::uint32_t header_ = 0;
  std::size_t message_bytes_ = 0;
};

// The message without record headers; only for what RecordWalk found complete.
std::string reassemble(std::string_view records, std::size_t message_bytes) {
  std::string out;
  out.reserve(message_bytes);
  Cursor cursor(records);
  while (out.size() < message_bytes) {
    cursor.take(3);
    out += cursor.counted(2);
  }
  return out;
}

base::Result<void> read_extension(unsigned type, std::string_view body, ClientHello& hello) {
  if (type == kServerNameExtension) {
    auto name = parse_server_name(body);
    if (!name) return tl::unexpected(name.error());
    hello.sni = std::move(*name);
  } else if (type == kAlpnExtension) {
    auto names = parse_alpn(body);
    if (!names) return tl::unexpected(names.error());
    hello.alpn = std::move(*names);
  } else if (type >= kFirstEchExtension && type <= kLastEchExtension) {
    hello.has_ech = true;
  }
  return {};
}

base::Result<ClientHello> parse_extensions(std::string_view list) {
  ClientHello hello;
  std::vector<unsigned> seen;
  Cursor cursor(list);
  while (!cursor.at_end()) {
    const auto type = static_cast<unsigned>(cursor.number(2));
    const std::string_view body = cursor.counted(2);
    if (cursor.is_short()) return bad("an extension that is cut short");
    seen.push_back(type);
    if (auto ok = read_extension(type, body, hello); !ok) return tl::unexpected(ok.error());
  }
  std::sort(seen.begin(), seen.end());
  if (std::adjacent_find(seen.begin(), seen.end()) != seen.end()) return bad("an extension twice");
  return hello;
}

// RFC 8446 s. 4.1.2.
base::Result<ClientHello> parse_message(std::string_view message) {
  Cursor cursor(message);
  cursor.take(kMessageHeaderBytes);
  const std::size_t version = cursor.number(2);
  cursor.take(32);  // random
  const std::string_view session_id = cursor.counted(1);
  const std::string_view suites = cursor.counted(2);
  const std::string_view compressions = cursor.counted(1);
  if (cursor.is_short()) return bad("the ClientHello is cut short");
  if (version >> 8 != 3) return bad("not a TLS version");
  if (session_id.size() > 32) return bad("a session id that is too long");
  if (suites.empty() || suites.size() % 2 != 0) return bad("a broken list of cipher suites");
  if (compressions.empty()) return bad("no compression method");
  if (cursor.at_end()) return ClientHello{};  // TLS 1.2 without extensions

  const std::string_view extensions = cursor.counted(2);
  if (cursor.is_short() || !cursor.at_end()) return bad("a broken list of extensions");
  return parse_extensions(extensions);
}

}  // namespace

base::Result<std::string> parse_server_name(std::string_view extension) {
  Cursor cursor(extension);
  Cursor list(cursor.counted(2));
  const std::size_t type = list.number(1);
  const std::string_view name = list.counted(2);
  if (cursor.is_short() || !cursor.at_end() || list.is_short()) return bad("a broken server_name");
  if (!list.at_end()) return bad("more than one server name");
  if (type != 0) return bad("a server name that is not a host name");
  if (name.empty() || name.size() > kMaxServerNameBytes) return bad("a server name of bad length");
  if (name.find('\0') != std::string_view::npos) return bad("a NUL in the server name");
  return std::string(name);
}

base::Result<std::vector<std::string>> parse_alpn(std::string_view extension) {
  Cursor cursor(extension);
  Cursor list(cursor.counted(2));
  if (cursor.is_short() || !cursor.at_end() || list.at_end()) return bad("a broken ALPN list");
  std::vector<std::string> names;
  while (!list.at_end()) {
    const std::string_view name = list.counted(1);
    if (list.is_short() || name.empty()) return bad("a broken ALPN list");
    names.emplace_back(name);
  }
  return names;
}

base::Result<std::optional<ClientHello>> peek_client_hello(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  if (static_cast<unsigned char>(bytes.front()) != kHandshakeRecord) {
    return base::fail(Code::kNotHttp, Fault::kClient, "the first byte begins no TLS handshake");
  }
  // Cut before anything looks at the rest, so that the limit counts the same however the bytes
  // come.
  const bool is_full = bytes.size() >= kMaxHelloBytes;
  bytes = bytes.substr(0, kMaxHelloBytes);
  const auto framing = RecordWalk(bytes).run();
  if (!framing) return tl::unexpected(framing.error());
  if (!framing->is_complete) {
    if (is_full) return bad("the ClientHello is too long");
    return std::nullopt;
  }
  auto hello = parse_message(reassemble(bytes, framing->message_bytes));
  if (!hello) return tl::unexpected(hello.error());
  hello->bytes = framing->bytes;
  return std::move(*hello);
}

}  // namespace leash::tls
