// Bytes from an origin into H2Client with three requests under way.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/h2_client.h"

using namespace leash::http;

namespace {

class Handler : public H2Client::Handler {
 public:
  H2Client* client = nullptr;
  int open = 0;

  void on_head(std::int32_t, ResponseHead head, bool) override {
    if (head.status < 100 || head.status > 999 || head.status == 101) std::abort();
    for (const Field& field : head.fields.all()) {
      const std::string all = field.name + field.value;
      if (all.find('\r') != std::string::npos || all.find('\n') != std::string::npos) std::abort();
    }
  }
  void on_goaway(std::int32_t) override {}
  void on_body(std::int32_t stream, std::string_view bytes) override {
    if (stream != 3) client->consume(stream, bytes.size());
  }
  void on_end(std::int32_t, Fields) override {}
  void on_reset(std::int32_t, const leash::base::Error&) override {}
  void on_sendable(std::int32_t) override {}
  void on_closed(std::int32_t) override {
    if (--open < 0) std::abort();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  Handler handler;
  H2Client client({}, handler);
  handler.client = &client;
  RequestHead head;
  head.scheme = "https";
  head.path = "/";
  head.fields.add("host", "a.test");
  for (const char* method : {"GET", "POST", "HEAD"}) {
    head.method = method;
    const bool has_body = head.method == "POST";
    if (!client.start(head, !has_body)) std::abort();
    ++handler.open;
    if (has_body) client.send_body(3, std::string(100'000, 'x'));
  }
  std::string_view in(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const std::size_t step = std::size_t{bytes[0]} + 1;
  while (!in.empty()) {
    for (int i = 0; i < 100 && !client.output().empty(); ++i) client.output().clear();
    const auto part = in.substr(0, step);
    in.remove_prefix(part.size());
    if (!client.receive(part, {})) break;
  }
  client.abort({});
  // Every stream has had its last word, once.
  if (handler.open != 0) std::abort();
  return 0;
}
