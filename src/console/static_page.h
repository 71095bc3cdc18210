// The console's page: files that were embedded when the program was built.
#pragma once

#include <string_view>
#include <vector>

#include "console/http_message.h"

namespace leash::console {

struct Asset {
  std::string_view path;  // "/index.html"
  std::string_view type;
  std::string_view etag;  // with its quotes
  std::string_view bytes;
};

// What tools/embed.py has made of src/console/web/dist.
[[nodiscard]] const std::vector<Asset>& embedded_assets();

// The file for a path ("/" and the page's own places are index.html), or nullptr. The original's
// places of script and style are known, too.
[[nodiscard]] const Asset* find_asset(std::string_view path);
// 304 where the client has it.
[[nodiscard]] Reply asset_reply(const Asset& asset, const Request& request);

}  // namespace leash::console
