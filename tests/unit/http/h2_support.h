// For the HTTP/2 tests: frames written by hand, and handlers that write down what they hear.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/h2_client.h"
#include "http/h2_server.h"

namespace leash::http::test {

using Names = std::vector<std::pair<std::string, std::string>>;

inline constexpr std::uint8_t kEndStream = 0x1;
inline constexpr std::uint8_t kAck = 0x1;
inline constexpr std::uint8_t kEndHeaders = 0x4;
inline constexpr std::uint8_t kPadded = 0x8;

inline std::string be32(std::uint32_t n) {
  return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
          static_cast<char>(n)};
}

inline std::string frame(int type, int flags, std::uint32_t stream, std::string_view payload = {}) {
  std::string out = be32(static_cast<std::uint32_t>(payload.size())).substr(1);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  out += be32(stream);
  out += payload;
  return out;
}

// HPACK's literal strings (RFC 7541 s. 5.2), without Huffman.
inline std::string hpack_string(std::string_view text) {
  std::string out;
  if (text.size() < 127) {
    out += static_cast<char>(text.size());
  } else {
    out += '\x7f';
    std::size_t left = text.size() - 127;
    for (; left >= 128; left /= 128) out += static_cast<char>(left % 128 + 128);
    out += static_cast<char>(left);
  }
  return out.append(text);
}

// Literals that are not indexed (RFC 7541 s. 6.2.2).
inline std::string block(const Names& names) {
  std::string out;
  for (const auto& [name, value] : names) {
    out += '\0';
    out += hpack_string(name) + hpack_string(value);
  }
  return out;
}

inline std::string headers(std::uint32_t stream, const Names& names, int flags = kEndStream) {
  return frame(1, kEndHeaders | flags, stream, block(names));
}
inline std::string data(std::uint32_t stream, std::string_view bytes, int flags = 0) {
  return frame(0, flags, stream, bytes);
}
inline std::string rst(std::uint32_t stream, H2Code code = H2Code::kCancel) {
  return frame(3, 0, stream, be32(static_cast<std::uint32_t>(code)));
}
inline std::string window_update(std::uint32_t stream, std::uint32_t n) {
  return frame(8, 0, stream, be32(n));
}
inline std::string ping(int flags = 0) { return frame(6, flags, 0, "12345678"); }
inline std::string settings(const std::vector<std::pair<std::uint16_t, std::uint32_t>>& list = {}) {
  std::string payload;
  for (const auto& [id, value] : list) payload += be32(id).substr(2) + be32(value);
  return frame(4, 0, 0, payload);
}
inline std::string hello() { return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings(); }

inline Names get(std::string_view path = "/") {
  return {{":method", "GET"},
          {":scheme", "https"},
          {":authority", "a.test"},
          {":path", std::string(path)}};
}
inline Names with(Names names, const Names& more) {
  names.insert(names.end(), more.begin(), more.end());
  return names;
}
// `names` with the value of `name` replaced.
inline Names but(Names names, std::string_view name, std::string value) {
  for (auto& [n, v] : names) {
    if (n == name) v = value;
  }
  return names;
}
inline Names without(Names names, std::string_view name) {
  std::erase_if(names, [name](const auto& field) { return field.first == name; });
  return names;
}

struct Frame {
  int type;
  int flags;
  std::uint32_t stream;
  std::string payload;
  // Of RST_STREAM and GOAWAY.
  [[nodiscard]] H2Code code() const {
    const std::size_t at = type == 7 ? 4 : 0;
    std::uint32_t n = 0;
    for (std::size_t i = 0; i < 4; ++i)
      n = (n << 8) | static_cast<std::uint8_t>(payload.at(at + i));
    return static_cast<H2Code>(n);
  }
};

inline std::vector<Frame> frames_of(std::string_view bytes) {
  std::vector<Frame> out;
  while (bytes.size() >= 9) {
    const auto byte = [bytes](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
    const std::size_t n = (std::size_t{byte(0)} << 16) | (std::size_t{byte(1)} << 8) | byte(2);
    const std::uint32_t stream = (std::uint32_t{byte(5)} << 24) | (std::uint32_t{byte(6)} << 16) |
                                 (std::uint32_t{byte(7)} << 8) | byte(8);
    out.push_back({byte(3), byte(4), stream, std::string(bytes.substr(9, n))});
    bytes.remove_prefix(std::min(bytes.size(), 9 + n));
  }
  return out;
}

// "PROTOCOL_ERROR" for the first RST_STREAM (type 3) or GOAWAY (type 7), else "".
inline std::string code_in(std::string_view bytes, int type) {
  for (const Frame& f : frames_of(bytes)) {
    if (f.type == type) return text_of(f.code());
  }
  return {};
}

// What a handler heard: "body 1 abc".
struct Log {
  std::vector<std::string> lines;
  void add(std::string_view what, std::int32_t stream, std::string_view more = {}) {
    std::string line = std::string(what) + " " + std::to_string(stream);
    if (!more.empty()) line.append(" ").append(more);
    // Body bytes in one piece, however they came.
    if (what == "body" && !lines.empty() &&
        lines.back().starts_with("body " + std::to_string(stream))) {
      lines.back().append(more);
      return;
    }
    lines.push_back(std::move(line));
  }
  [[nodiscard]] std::string text() const {
    std::string out;
    for (const std::string& line : lines) out += (out.empty() ? "" : "; ") + line;
    return out;
  }
};

inline std::string text_of_fields(const Fields& fields) {
  std::string out;
  for (const Field& f : fields.all()) out += (out.empty() ? "" : ",") + f.name + "=" + f.value;
  return out;
}

class ServerLog : public H2Server::Handler {
 public:
  Log log;
  std::vector<RequestHead> heads;
  H2Server* consume_for = nullptr;  // whose body bytes are consumed at once
  bool keeps_bodies = true;
  std::size_t body_bytes = 0;

  void on_request(std::int32_t stream, RequestHead head, bool ends_here) override {
    log.add("request", stream, head.method + " " + head.path + (ends_here ? " ends" : ""));
    heads.push_back(std::move(head));
  }
  void on_refused(std::int32_t stream, const base::Error& error) override {
    log.add("refused", stream, base::word(error.code));
  }
  void on_body(std::int32_t stream, std::string_view bytes) override {
    body_bytes += bytes.size();
    if (keeps_bodies) log.add("body", stream, bytes);
    if (consume_for != nullptr) consume_for->consume(stream, bytes.size());
  }
  void on_end(std::int32_t stream, Fields trailers) override {
    log.add("end", stream, text_of_fields(trailers));
  }
  void on_reset(std::int32_t stream, const base::Error& error) override {
    log.add("reset", stream, error.text());
  }
  void on_sendable(std::int32_t stream) override { log.add("sendable", stream); }
  void on_closed(std::int32_t stream) override { log.add("closed", stream); }
};

class ClientLog : public H2Client::Handler {
 public:
  Log log;
  std::vector<ResponseHead> heads;
  H2Client* consume_for = nullptr;
  bool keeps_bodies = true;
  std::size_t body_bytes = 0;
  std::function<void(std::int32_t)> at_end;  // of a response

  void on_head(std::int32_t stream, ResponseHead head, bool ends_here) override {
    log.add("head", stream, std::to_string(head.status) + (ends_here ? " ends" : ""));
    heads.push_back(std::move(head));
    if (ends_here && at_end) at_end(stream);
  }
  void on_goaway(std::int32_t last_stream) override { log.add("goaway", last_stream); }
  void on_body(std::int32_t stream, std::string_view bytes) override {
    body_bytes += bytes.size();
    if (keeps_bodies) log.add("body", stream, bytes);
    if (consume_for != nullptr) consume_for->consume(stream, bytes.size());
  }
  void on_end(std::int32_t stream, Fields trailers) override {
    log.add("end", stream, text_of_fields(trailers));
    if (at_end) at_end(stream);
  }
  void on_reset(std::int32_t stream, const base::Error& error) override {
    log.add("reset", stream, error.text());
  }
  void on_sendable(std::int32_t stream) override { log.add("sendable", stream); }
  void on_closed(std::int32_t stream) override { log.add("closed", stream); }
};

inline constexpr H2Session::TimePoint kStart{std::chrono::hours(1)};

enum class Feed { kWhole, kByByte };

// A session fed by hand.
template <class Session, class HandlerLog>
struct Bench {
  HandlerLog handler;
  Session session;
  std::string sent;  // all output so far
  base::Result<void> last;
  H2Session::TimePoint now = kStart;

  explicit Bench(const H2Limits& limits = {}) : session(limits, handler) {
    handler.consume_for = &session;
  }
  Bench& feed(std::string_view bytes, Feed how = Feed::kWhole) {
    const std::size_t step = how == Feed::kWhole ? bytes.size() : 1;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      last = session.receive(bytes.substr(at, step), now);
      take();
      if (!last) break;
    }
    return *this;
  }
  void take() {
    for (std::string* out = &session.output(); !out->empty(); out = &session.output()) {
      sent += *out;
      out->clear();
    }
  }
  [[nodiscard]] std::string heard() const { return handler.log.text(); }
};

using ServerBench = Bench<H2Server, ServerLog>;
using ClientBench = Bench<H2Client, ClientLog>;

// Our client and our server, with a wire between them that tests can cut or slow.
struct Pair {
  ServerLog server_log;
  ClientLog client_log;
  H2Server server;
  H2Client client;

  explicit Pair(const H2Limits& limits = {})
      : server(limits, server_log), client(limits, client_log) {
    server_log.consume_for = &server;
    client_log.consume_for = &client;
  }
  // One exchange of what is ready; false when there was nothing.
  bool step() {
    const std::string up = std::exchange(client.output(), {});
    if (!up.empty()) static_cast<void>(server.receive(up, kStart));
    const std::string down = std::exchange(server.output(), {});
    if (!down.empty()) static_cast<void>(client.receive(down, kStart));
    return !up.empty() || !down.empty();
  }
  void run() {
    while (step()) {
    }
  }
};

inline RequestHead request(std::string method = "GET", std::string path = "/") {
  RequestHead head;
  head.method = std::move(method);
  head.scheme = "https";
  head.path = std::move(path);
  head.version = Version::kHttp2;
  head.fields.add("host", "a.test");
  return head;
}

inline ResponseHead response(int status) {
  ResponseHead head;
  head.status = status;
  head.version = Version::kHttp2;
  head.body.framing = Framing::kChunked;
  return head;
}

}  // namespace leash::http::test
