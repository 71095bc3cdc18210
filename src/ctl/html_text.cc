#include "ctl/html_text.h"

#include "insight/printable.h"

namespace leash::ctl {

std::string html_text(std::string_view bytes, std::size_t max) {
  std::string out;
  for (const char c : insight::shortened(insight::printable(bytes), max)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace leash::ctl
