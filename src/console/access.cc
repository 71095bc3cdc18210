#include "console/access.h"

#include <algorithm>
#include <thread>

#include "base/text.h"
#include "console/json.h"

namespace leash::console {
namespace {

constexpr std::string_view kCookie = "leash_session";
constexpr std::size_t kLongestToken = 256;

// Takes as long for a near miss as for any other.
bool is_same(const tls::Digest& a, const tls::Digest& b) {
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned>(a[i] ^ b[i]);
  return difference == 0;
}

bool is_same_text(std::string_view a, std::string_view b) {
  return is_same(tls::sha256(a), tls::sha256(b));
}

std::string cookie_of(const Request& request) {
  const std::string* header = request.header("cookie");
  if (header == nullptr) return {};
  std::string_view rest = *header;
  while (!rest.empty()) {
    const auto end = rest.find(';');
    const std::string_view pair = base::trim(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (pair.size() > kCookie.size() && pair.starts_with(kCookie) && pair[kCookie.size()] == '=') {
      return std::string(pair.substr(kCookie.size() + 1));
    }
  }
  return {};
}

std::string bearer_of(const Request& request) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string* header = request.header("authorization");
  if (header == nullptr || header->size() <= kScheme.size()) return {};
  if (!base::equals_ignoring_case(std::string_view(*header).substr(0, kScheme.size()), kScheme)) {
    return {};
  }
  return std::string(base::trim(std::string_view(*header).substr(kScheme.size())));
}

// "https://console.corp:8090" against the Host that came with it. The scheme does not count: TLS
// may end before us.
bool is_same_origin(const Request& request) {
  const std::string* origin = request.header("origin");
  const std::string* host = request.header("host");
  if (origin == nullptr || host == nullptr) return false;
  std::string_view place = *origin;
  if (place.starts_with("https://")) {
    place.remove_prefix(8);
  } else if (place.starts_with("http://")) {
    place.remove_prefix(7);
  } else {
    return false;
  }
  return base::equals_ignoring_case(place, *host);
}

bool is_json(const Request& request) {
  if (request.body.empty() && !request.has_header("content-type")) return true;
  const std::string* type = request.header("content-type");
  if (type == nullptr) return false;
  const std::string_view media = base::trim(std::string_view(*type).substr(0, type->find(';')));
  return base::equals_ignoring_case(media, "application/json");
}

std::string who(Role role, const Request& request) {
  return std::string(insight::word(role)) + " from " + request.peer.ip.text();
}

std::string session_json(const std::optional<Caller>& caller, Auth auth) {
  JsonWriter json;
  json.begin_object().key("role");
  caller ? json.text(insight::word(caller->role)) : json.null();
  json.key("auth").text(auth == Auth::kOff ? "off" : "token").key("csrf");
  caller && !caller->csrf.empty() ? json.text(caller->csrf) : json.null();
  json.key("version").text(LEASH_VERSION).end_object();
  return json.take();
}

std::string cookie_line(const Request& request, std::string_view value, std::string_view more) {
  std::string line = std::string(kCookie) + "=" + std::string(value);
  line += "; Path=/; HttpOnly; SameSite=Strict";
  if (request.is_tls) line += "; Secure";
  return line.append(more);
}

std::chrono::steady_clock::time_point now() { return std::chrono::steady_clock::now(); }

}  // namespace

Access::Access(Options options)
    : options_(std::move(options)),
      operator_digest_(tls::sha256(options_.operator_token)),
      viewer_digest_(tls::sha256(options_.viewer_token)),
      gate_(options_.policy_dir) {
  base::append_hex(open_csrf_, tls::random_bytes(24));
}

// --- strangers ---------------------------------------------------------------------------------

bool Access::is_own_name(const base::Host& host) const {
  return host.text() == "localhost" || host.is_ip() ||
         std::find(options_.hosts.begin(), options_.hosts.end(), host) != options_.hosts.end();
}

// A browser that was made to resolve a stranger's name to this console sends that name. It cannot
// be made to send an IP literal.
bool Access::is_own_host_value(std::string_view value) const {
  const auto authority = base::parse_authority(value, 80);
  return authority && is_own_name(authority->host);
}

void Access::await_agents() {
  constexpr std::chrono::seconds kLongest{1};
  constexpr std::chrono::milliseconds kPause{5};
  const auto end = now() + kLongest;
  while (gate_.look(now()), !gate_.is_settled() && now() < end) std::this_thread::sleep_for(kPause);
}

bool Access::is_welcome(const base::IpAddress& peer) {
  // Nobody has such an address: whoever made the request has not asked for it.
  if (peer == base::IpAddress()) return false;
  const config::AgentNetworks& found = gate_.look(now());
  return !found.is_closed &&
         std::none_of(found.networks.begin(), found.networks.end(),
                      [&peer](const base::Network& network) { return network.contains(peer); });
}

std::optional<Reply> Access::refuse_stranger(const Request& request) {
  if (!is_welcome(request.peer.ip)) {
    const config::AgentNetworks& agents = gate_.in_force();
    const char* why = "not available from agent network";
    if (agents.is_closed) {
      why = gate_.is_settled()
                ? "agents.yaml has a faulty entry: the console refuses everybody until it is mended"
                : "agents.yaml is being written: the console refuses everybody until that is over";
    }
    Reply reply = error_reply(403, why);
    // The place is wanted for the next one that is to be told.
    reply.headers.emplace_back("Connection", "close");
    return reply;
  }
  const std::string* host = request.header("host");
  const bool is_right = host != nullptr && is_own_host_value(*host) &&
                        (request.target_host.empty() || is_own_host_value(request.target_host));
  if (!is_right) {
    return error_reply(421, "this console does not go by that name; see --host");
  }
  return std::nullopt;
}

// --- callers -----------------------------------------------------------------------------------

std::optional<Role> Access::role_of(std::string_view token) const {
  if (token.empty() || token.size() > kLongestToken) return std::nullopt;
  const tls::Digest digest = tls::sha256(token);
  const bool is_operator = is_same(digest, operator_digest_);
  const bool is_viewer = is_same(digest, viewer_digest_);
  if (is_operator && !options_.operator_token.empty()) return Role::kOperator;
  if (is_viewer && !options_.viewer_token.empty()) return Role::kViewer;
  return std::nullopt;
}

std::optional<Caller> Access::caller_of(const Request& request) {
  if (options_.auth == Auth::kOff) {
    return Caller{Role::kOperator, open_csrf_, "anybody from " + request.peer.ip.text()};
  }
  if (const std::string token = bearer_of(request); !token.empty()) {
    const std::string address = request.peer.ip.text();
    if (limits_.wait_of(address, now()).count() > 0) return std::nullopt;
    const auto role = role_of(token);
    if (!role) {
      limits_.wrong(address, now());
      return std::nullopt;
    }
    return Caller{*role, "", who(*role, request)};
  }
  const std::string cookie = cookie_of(request);
  if (cookie.empty()) return std::nullopt;
  const auto session = sessions_.find(cookie, now());
  if (!session) return std::nullopt;
  return Caller{session->role, session->csrf, who(session->role, request)};
}

std::optional<Reply> Access::locked(const Request& request) const {
  const auto wait = limits_.wait_of(request.peer.ip.text(), now());
  if (wait.count() == 0) return std::nullopt;
  return retry_reply(429, "too many wrong tokens from this address", wait.count());
}

tl::expected<Caller, Reply> Access::admit(const Request& request, const Need& need) {
  const bool has_bearer = !bearer_of(request).empty();
  if (has_bearer && options_.auth == Auth::kToken) {
    if (auto wait = locked(request)) return tl::unexpected(std::move(*wait));
  }
  auto caller = caller_of(request);
  if (!caller) {
    Reply reply = error_reply(401, "sign in with the token that 'leashctl console token' prints");
    reply.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"leash console\"");
    return tl::unexpected(std::move(reply));
  }
  if (need.role == Role::kOperator && caller->role != Role::kOperator) {
    return tl::unexpected(error_reply(403, "this needs the operator's token"));
  }
  if (need.is_change) {
    if (auto refusal = refuse_change(request, *caller)) return tl::unexpected(std::move(*refusal));
  }
  return std::move(*caller);
}

// A page of a stranger in the operator's browser has the operator's cookie at hand. It cannot
// choose its Origin, send application/json unasked, or know the token.
std::optional<Reply> Access::refuse_change(const Request& request, const Caller& caller) const {
  if (request.has_header("origin") && !is_same_origin(request)) {
    return error_reply(403, "the request comes from another site");
  }
  const std::string* site = request.header("sec-fetch-site");
  if (site != nullptr && *site != "same-origin" && *site != "none") {
    return error_reply(403, "the request comes from another site");
  }
  // A script brings its token itself; where nobody signs in, it brings neither.
  const bool is_script =
      caller.csrf.empty() || (options_.auth == Auth::kOff && !request.has_header("origin") &&
                              !request.has_header("sec-fetch-site"));
  if (!is_script) {
    if (!is_same_origin(request)) return error_reply(403, "the request has no Origin");
    const std::string* token = request.header("x-csrf-token");
    if (token == nullptr || !is_same_text(*token, caller.csrf)) {
      return error_reply(403, "X-CSRF-Token is missing or wrong: load the page anew");
    }
  }
  if (!is_json(request)) return error_reply(415, "the body must be application/json");
  return std::nullopt;
}

// --- sign-in -----------------------------------------------------------------------------------

Reply Access::session(const Request& request) {
  return {.body = session_json(caller_of(request), options_.auth)};
}

Reply Access::sign_in(const Request& request) {
  if (!is_json(request) || request.body.empty()) {
    return error_reply(415, "the body must be application/json");
  }
  if (request.has_header("origin") && !is_same_origin(request)) {
    return error_reply(403, "the request comes from another site");
  }
  if (options_.auth == Auth::kOff) return session(request);
  if (auto wait = locked(request)) return std::move(*wait);
  const auto body = JsonValue::parse(request.body);
  const auto token = body ? body->text("token") : std::nullopt;
  if (!token) return error_reply(400, "token is missing");
  const auto role = role_of(base::trim(*token));
  const std::string address = request.peer.ip.text();
  if (!role) {
    limits_.wrong(address, now());
    if (auto wait = locked(request)) return std::move(*wait);
    return error_reply(401, "wrong token");
  }
  limits_.right(address);
  // Whoever signs in anew gives up the session before.
  sessions_.close(cookie_of(request));
  const Sessions::Opened opened = sessions_.open(*role, now());
  const Caller caller{opened.session.role, opened.session.csrf, who(*role, request)};
  return {.body = session_json(caller, options_.auth),
          .headers = {{"Set-Cookie", cookie_line(request, opened.id, "")}}};
}

Reply Access::sign_out(const Request& request) {
  const auto caller = caller_of(request);
  if (caller) {
    if (auto refusal = refuse_change(request, *caller)) return std::move(*refusal);
  }
  sessions_.close(cookie_of(request));
  return {.body = session_json(options_.auth == Auth::kOff ? caller : std::nullopt, options_.auth),
          .headers = {{"Set-Cookie", cookie_line(request, "", "; Max-Age=0")}}};
}

}  // namespace leash::console
