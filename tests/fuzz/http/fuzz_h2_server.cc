// Bytes from a client into H2Server. The first byte chooses the split; whole and split must end
// alike.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/h2_server.h"

using namespace leash::http;

namespace {

class Handler : public H2Server::Handler {
 public:
  H2Server* server = nullptr;
  std::string heard;
  int requests = 0;

  void on_request(std::int32_t stream, RequestHead head, bool ends_here) override {
    // What the rest of the proxy relies on.
    if (!head.host || !head.fields.has("host") || head.path.empty()) std::abort();
    if (head.path[0] != '/' && head.path != "*") std::abort();
    for (const Field& field : head.fields.all()) {
      const std::string all = field.name + field.value;
      if (all.find('\r') != std::string::npos || all.find('\n') != std::string::npos ||
          all.find('\0') != std::string::npos) {
        std::abort();
      }
    }
    // With many at once the pieces decide which ones are over the limit.
    if (++requests > 100) return;
    heard += "q" + std::to_string(stream) + head.path + (ends_here ? "!" : "");
    ResponseHead answer;
    answer.status = 200;
    answer.body.framing = Framing::kChunked;
    if (stream % 3 == 0) {
      server->reset(stream, H2Code::kCancel);
    } else {
      server->send_head(stream, answer, false);
      server->send_body(stream, std::string(static_cast<std::size_t>(stream % 7) * 10'000, 'x'));
      if (stream % 5 == 0) server->send_end(stream);
    }
  }
  // Comes when the reset has gone out, so its place among the requests depends on the pieces.
  void on_refused(std::int32_t, const leash::base::Error&) override {}
  void on_body(std::int32_t stream, std::string_view bytes) override {
    if (stream % 2 == 1) server->consume(stream, bytes.size());
  }
  void on_end(std::int32_t stream, Fields) override { server->send_end(stream); }
  void on_reset(std::int32_t, const leash::base::Error&) override {}
  void on_sendable(std::int32_t stream) override { server->send_end(stream); }
  void on_closed(std::int32_t) override {}
};

std::string run(std::string_view bytes, std::size_t step) {
  Handler handler;
  H2Server server({}, handler);
  handler.server = &server;
  H2Session::TimePoint now{};
  while (!bytes.empty()) {
    const auto part = bytes.substr(0, step);
    bytes.remove_prefix(part.size());
    const bool is_ok = server.receive(part, now).has_value();
    for (int i = 0; i < 100 && !server.output().empty(); ++i) server.output().clear();
    if (!is_ok) {
      if (server.active_streams() != 0) std::abort();
      break;
    }
  }
  server.abort({});
  return handler.heard;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const std::string all = preface + std::string(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  // The requests that got through are the same, in whatever pieces they came.
  const std::string pieces = run(all, std::size_t{bytes[0]} + 1);
  const std::string whole = run(all, all.size());
  if (!pieces.starts_with(whole) && !whole.starts_with(pieces)) std::abort();
  return 0;
}
