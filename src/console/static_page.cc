#include "console/static_page.h"

#include <algorithm>

namespace leash::console {
namespace {

std::string_view asset_path(std::string_view path) {
  if (path == "/") return "/index.html";
  if (path == "/static/app.js") return "/app.js";
  if (path == "/static/style.css") return "/app.css";
  return path;
}

}  // namespace

const Asset* find_asset(std::string_view path) {
  const std::string_view wanted = asset_path(path);
  const auto& assets = embedded_assets();
  const auto found = std::find_if(assets.begin(), assets.end(),
                                  [wanted](const Asset& each) { return each.path == wanted; });
  return found == assets.end() ? nullptr : &*found;
}

Reply asset_reply(const Asset& asset, const Request& request) {
  Reply reply;
  reply.headers = {{"ETag", std::string(asset.etag)}, {"Cache-Control", "no-cache"}};
  const std::string* known = request.header("if-none-match");
  if (known != nullptr && known->find(asset.etag) != std::string::npos) {
    reply.status = 304;
    reply.type.clear();
    return reply;
  }
  reply.type = asset.type;
  reply.body = asset.bytes;
  return reply;
}

}  // namespace leash::console
