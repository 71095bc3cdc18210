// What can be asked for: one list, by which requests are answered and /openapi.json is written.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "console/access.h"
#include "console/http_message.h"

namespace leash::console {

struct Call {
  Request request;
  Caller caller;
  std::string rest;  // what stands for {id} in the path, decoded
};

struct Parameter {
  const char* name;
  const char* text;  // for people
};

struct Route {
  const char* method;
  const char* path;  // "/api/event/{id}": the last part may be open
  Need need;
  const char* summary;
  std::vector<Parameter> parameters;  // of the query
  const char* body;                   // JSON schema of the body; nullptr: none
  const char* answer;                 // JSON schema of a 200; nullptr: not JSON
  // Runs on a query thread; empty for the routes that the loop answers itself.
  std::function<Reply(const Call&)> handle;
};

class Router {
 public:
  void add(Route route);

  struct Match {
    const Route* route = nullptr;  // null: there is none ...
    bool knows_path = false;       // ... for this method
    std::string allowed;           // methods of the path, for Allow
    std::string rest;
  };
  // HEAD counts as GET.
  [[nodiscard]] Match find(std::string_view method, std::string_view path) const;
  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

// OpenAPI 3.1.
[[nodiscard]] std::string openapi_json(const Router& router);

}  // namespace leash::console
