// A stranger's bytes at the client leg: whole or cut, the engine says the same and never more than
// it was sent.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "tls/direct_leaves.h"

namespace {

using namespace leash;

struct Parts {
  std::unique_ptr<tls::DirectIssuer> issuer;
  std::unique_ptr<tls::LeafSource> leaves;
  std::unique_ptr<tls::ServerContext> context;
};

Parts& parts() {
  static Parts made = [] {
    Parts out;
    std::string dir = (std::filesystem::temp_directory_path() / "leash-fuzz-XXXXXX").string();
    if (::mkdtemp(dir.data()) == nullptr) std::abort();
    auto issuer = tls::DirectIssuer::open(dir);
    std::filesystem::remove_all(dir);
    if (!issuer) std::abort();
    out.issuer = std::move(*issuer);
    out.leaves = std::make_unique<tls::DirectLeaves>(*out.issuer, 4);
    auto context = tls::make_server_context(*out.leaves);
    if (!context) std::abort();
    out.context = std::move(*context);
    return out;
  }();
  return made;
}

struct Outcome {
  bool is_good = false;
  std::string sni;
  int hellos = 0;
};

Outcome feed(std::string_view bytes, std::size_t piece) {
  Outcome out;
  tls::ServerContext::Options options;
  options.authority = *base::parse_connect_target("a.test:443");
  options.offer_h2 = true;
  options.on_hello = [&out](const tls::ClientHello& hello) {
    ++out.hellos;
    out.sni = hello.sni.value_or("");
    return base::Result<void>{};
  };
  const auto engine = parts().context->accept(std::move(options));
  std::string plain;
  out.is_good = true;
  for (; !bytes.empty() && out.is_good; bytes.remove_prefix(std::min(piece, bytes.size()))) {
    out.is_good = engine->receive(bytes.substr(0, piece), plain).has_value();
  }
  if (!plain.empty() || engine->is_established()) std::abort();  // it never had our keys
  if (out.hellos > 1) std::abort();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = feed(bytes, size + 1);
  const Outcome cut = feed(bytes, 1);
  if (whole.is_good != cut.is_good || whole.hellos != cut.hellos || whole.sni != cut.sni) {
    std::abort();
  }
  return 0;
}
