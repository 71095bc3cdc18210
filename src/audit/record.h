// One audit event as a value, and its line of JSON in the original's layout.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace leash::audit {

enum class Event {
  kConnectAllowed,  // the intent of a tunnel
  kRequest,         // the intent of a request
  kAllowed,
  kBlocked,
  kError,
  kTunnelClosed,  // the outcome of a tunnel
  kWebsocketMessage,
  kWebsocketClosed,
  kModeChange,
  kPolicyChange,
  kPolicyError,
  kStart,
  kStop,
  kCheckpoint,
};
[[nodiscard]] std::string_view word(Event event);  // "connect_allowed", ...

// A text of a record: its own, or one that stays elsewhere until the record has been rendered.
class Text {
 public:
  Text() = default;
  // NOLINTBEGIN(google-explicit-constructor): a string is a text.
  Text(std::string own) : own_(std::move(own)) {}
  Text(const char* own) : own_(own) {}
  // NOLINTEND(google-explicit-constructor)
  [[nodiscard]] static Text borrowed(std::string_view text) {
    Text out;
    out.borrowed_ = text;
    return out;
  }

  [[nodiscard]] std::string_view view() const { return borrowed_ ? *borrowed_ : own_; }
  // NOLINTNEXTLINE(google-explicit-constructor)
  operator std::string_view() const { return view(); }
  [[nodiscard]] std::size_t size() const { return view().size(); }

 private:
  std::string own_;
  std::optional<std::string_view> borrowed_;
};

// A field that is at its default is left out of the line, the five leading ones (ts, event, client,
// host, port) apart. kModeChange, kPolicyChange, kPolicyError, kStart, kStop have no client, host
// and port.
struct Record {
  Event event = Event::kError;
  std::chrono::system_clock::time_point time{};  // default: when the line is rendered
  std::optional<Text> client;                    // address; JSON null where absent
  Text host;
  std::uint16_t port = 0;

  // the original's, in this order
  Text method;
  Text url;
  std::string reason;
  int status = 0;
  std::uint64_t bytes = 0;
  bool would_block = false;         // "audit": "would_block_in_enforce"
  std::optional<Text> req_headers;  // JSON already; see header_json.h
  std::optional<Text> res_headers;
  std::optional<std::string> req_body;  // already text; see capture.h
  std::optional<std::string> res_body;
  bool req_truncated = false;
  bool res_truncated = false;

  // ours, after them
  Text id;      // ties the lines of one request
  Text tunnel;  // the id of the tunnel that carried it
  Text agent;
  Text sni;
  std::string addr;  // "93.184.216.34:443", the one dialled
  std::string alpn;  // of the origin leg
  Text origin_cert;  // SHA-256
  Text names;        // "mismatch: ..." where audit mode let it pass
  Text rule;
  Text note;        // the operator's reason for the rule
  std::string tls;  // "splice"
  std::optional<double> ms;
  std::optional<std::uint64_t> bytes_up;
  std::optional<std::uint64_t> bytes_down;
  // Further keys with string values, in this order (mode_change: previous, mode; policy_error:
  // file, line, ...; start: version, ...).
  std::vector<std::pair<std::string, std::string>> extra;
  std::vector<std::pair<std::string, std::int64_t>> extra_numbers;
  std::vector<std::pair<std::string, std::vector<std::string>>> extra_lists;
};

// Redacts what is secret in headers and in the query of URLs. Keyed, so equal secrets can be
// correlated but not recovered.
class Redactor {
 public:
  enum class Secrets { kRedact, kKeep };
  Redactor(Secrets secrets, std::string key);
  // What to write for the value of this header; nullopt: the value itself.
  [[nodiscard]] std::optional<std::string> header(std::string_view name,
                                                  std::string_view value) const;
  [[nodiscard]] std::string url(std::string_view url) const;

 private:
  Secrets secrets_;
  std::string key_;
};

// As `ts` has it: seconds with a fraction.
[[nodiscard]] double unix_seconds(std::chrono::system_clock::time_point time);

// The line without its closing brace, seq, chain and end of line: `{"ts": ..., "event": ...`.
// ASCII; undecodable bytes as \udcXX. Appended to `out`.
void render(const Record& record, std::string& out);
[[nodiscard]] std::string render(const Record& record);

}  // namespace leash::audit
