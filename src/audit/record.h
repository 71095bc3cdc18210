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
  kWebsocketClosed,
  kModeChange,
  kPolicyChange,
  kPolicyError,
  kStart,
  kStop,
  kCheckpoint,
};
[[nodiscard]] std::string_view word(Event event);  // "connect_allowed", ...

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// A field that is at its default is left out of the line, the five leading ones (ts, event, client,
// host, port) apart. kModeChange, kPolicyChange, kPolicyError, kStart, kStop have no client, host
// and port.
struct Record {
  Event event = Event::kError;
  std::chrono::system_clock::time_point time{};  // default: when the line is rendered
  std::optional<std::string> client;             // address; JSON null where absent
  std::string host;
  std::uint16_t port = 0;

  // the original's, in this order
  std::string method;
  std::string url;
  std::string reason;
  int status = 0;
  std::uint64_t bytes = 0;
  bool would_block = false;  // "audit": "would_block_in_enforce"
  std::optional<HeaderList> req_headers;
  std::optional<HeaderList> res_headers;
  std::optional<std::string> req_body;  // already text; see capture.h
  std::optional<std::string> res_body;
  bool req_truncated = false;
  bool res_truncated = false;

  // ours, after them
  std::string id;      // ties the lines of one request
  std::string tunnel;  // the id of the tunnel that carried it
  std::string agent;
  std::string sni;
  std::string addr;         // "93.184.216.34:443", the one dialled
  std::string alpn;         // of the origin leg
  std::string origin_cert;  // SHA-256
  std::string names;        // "mismatch: ..." where audit mode let it pass
  std::string rule;
  std::string note;  // the operator's reason for the rule
  std::string tls;   // "splice"
  std::optional<double> ms;
  std::optional<std::uint64_t> bytes_up;
  std::optional<std::uint64_t> bytes_down;
  // Further keys with string values, in this order (mode_change: previous, mode; policy_error:
  // file, line, ...; start: version, ...).
  std::vector<std::pair<std::string, std::string>> extra;
  std::vector<std::pair<std::string, std::int64_t>> extra_numbers;
};

// Header lines folded as the original does: one pair per distinct name, first spelling and place,
// values joined with ", ".
[[nodiscard]] HeaderList fold_headers(
    const std::vector<std::pair<std::string_view, std::string_view>>& fields);

// Redacts what is secret in headers and in the query of URLs. Keyed, so equal secrets can be
// correlated but not recovered.
class Redactor {
 public:
  enum class Secrets { kRedact, kKeep };
  Redactor(Secrets secrets, std::string key);
  void headers(HeaderList& headers) const;
  [[nodiscard]] std::string url(std::string_view url) const;

 private:
  Secrets secrets_;
  std::string key_;
};

// As `ts` has it: seconds with a fraction.
[[nodiscard]] double unix_seconds(std::chrono::system_clock::time_point time);

// The line without its closing brace, seq, chain and end of line: `{"ts": ..., "event": ...`.
// ASCII; undecodable bytes as \udcXX.
[[nodiscard]] std::string render(const Record& record);

}  // namespace leash::audit
