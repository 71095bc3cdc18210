#include "console/search_text.h"

#include "base/text.h"

namespace leash::console {

std::string search_form(std::string_view text) {
  const bool is_text = base::is_utf8(text);
  std::string out(text);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 'A' && byte <= 'Z') {
      c = static_cast<char>(byte + 32);
    } else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !is_text)) {
      c = '?';
    }
  }
  return out;
}

}  // namespace leash::console
