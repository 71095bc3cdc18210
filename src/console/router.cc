#include "console/router.h"

namespace leash::console {

void Router::add(Route route) { routes_.push_back(std::move(route)); }

Router::Match Router::find(std::string_view method, std::string_view path) const {
  Match match;
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const Route& route : routes_) {
    const std::string_view pattern = route.path;
    const auto open = pattern.find('{');
    std::string rest;
    if (open == std::string_view::npos) {
      if (path != pattern) continue;
    } else {
      const std::string_view head = pattern.substr(0, open);
      if (!path.starts_with(head) || path.size() == head.size() ||
          path.find('/', head.size()) != std::string_view::npos) {
        continue;
      }
      rest = decode_form(path.substr(head.size()));
    }
    match.knows_path = true;
    if (!match.allowed.empty()) match.allowed += ", ";
    match.allowed += route.method;
    if (route.method != wanted) continue;
    match.route = &route;
    match.rest = std::move(rest);
    return match;
  }
  return match;
}

}  // namespace leash::console
