// Any text as a host list: what it holds is a host in canonical form.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/authority.h"
#include "config/host_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto list = leash::config::read_host_list(text, "x");
  if (!list.hosts) return 0;
  if (list.hosts->size() > size) std::abort();
  // The short way through the reader agrees with the parser.
  const auto host = leash::base::Host::parse(text);
  if (host && text.size() < 200 && text.find_first_of("#* ") == std::string_view::npos &&
      list.hosts->line_of(host->text()) != 1 && !text.starts_with('[')) {
    std::abort();
  }
  return 0;
}
