#include "insight/console_token.h"

#include "base/text.h"
#include "tls/digest.h"
#include "tls/key_file.h"

namespace leash::insight {
namespace {

constexpr std::size_t kTokenBytes = 24;
constexpr std::size_t kShortest = 16;

}  // namespace

std::string_view word(ConsoleRole role) {
  return role == ConsoleRole::kOperator ? "operator" : "viewer";
}

std::string console_token_path(const std::string& dir, ConsoleRole role) {
  return dir + "/" + std::string(word(role)) + ".token";
}

base::Result<std::string> read_console_token(const std::string& dir, ConsoleRole role) {
  const std::string path = console_token_path(dir, role);
  auto text = tls::read_key_file(path);
  if (!text) return tl::unexpected(text.error());
  if (!*text) {
    return base::fail(base::Code::kIo, base::Fault::kProxy,
                      path + ": not there; leash-console makes it when it starts");
  }
  const std::string_view token = base::trim(**text);
  if (token.size() < kShortest) {
    return base::fail(base::Code::kBadKeyFile, base::Fault::kProxy,
                      path + ": too short to be a token; delete it and start leash-console anew");
  }
  return std::string(token);
}

base::Result<std::string> open_console_token(const std::string& dir, ConsoleRole role) {
  if (auto made = tls::ensure_private_directory(dir); !made) return tl::unexpected(made.error());
  std::string token;
  base::append_hex(token, tls::random_bytes(kTokenBytes));
  // Where somebody was quicker, or has made it long ago, that one counts.
  auto placed = tls::place_new_file(console_token_path(dir, role), 0600, token + "\n");
  if (!placed) return tl::unexpected(placed.error());
  return read_console_token(dir, role);
}

}  // namespace leash::insight
