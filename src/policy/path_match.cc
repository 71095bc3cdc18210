#include "policy/path_match.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/text.h"
#include "policy/decide.h"

namespace leash::policy {
namespace {

// A server behind a gateway may decode twice; nobody decodes more often than this in earnest.
constexpr int kMostDecodings = 4;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// One round of percent-decoding; a broken escape stays as it is.
std::string decode_once(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%' && i + 2 < path.size()) {
      const int high = hex_value(path[i + 1]);
      const int low = hex_value(path[i + 2]);
      if (high >= 0 && low >= 0) {
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
        continue;
      }
    }
    out.push_back(path[i]);
  }
  return out;
}

std::string_view without_query(std::string_view target) {
  return target.substr(0, target.find('?'));
}

bool is_dots(std::string_view segment) { return segment == "." || segment == ".."; }

// Something in this reading of the path lets two servers see two paths.
bool is_suspect(std::string_view path) {
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= path.size(); ++i) {
    const char c = i < path.size() ? path[i] : '/';
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\' || byte < 0x20 || byte == 0x7f) return true;
    // Overlong UTF-8, in which '.' and '/' hide from a byte-wise look (Unicode table 3-7).
    if (byte == 0xc0 || byte == 0xc1) return true;
    if (i + 1 < path.size()) {
      const auto next = static_cast<unsigned char>(path[i + 1]);
      if (byte == 0xe0 && next >= 0x80 && next < 0xa0) return true;
      if (byte == 0xf0 && next >= 0x80 && next < 0x90) return true;
      // "%u002e", which some servers of old decode.
      if (c == '%' && (next == 'u' || next == 'U')) return true;
    }
    // ';', and '?' or '#' that came out of an escape, end a segment for some servers: "/a/..;x/b".
    if (c == '/' || c == ';' || c == '?' || c == '#') {
      if (is_dots(path.substr(begin, i - begin))) return true;
      begin = i + 1;
    }
  }
  return false;
}

// Calls `look` with the raw path and with each further decoding; true as soon as it says true, or
// where the decodings do not end.
template <class Look>
bool any_reading(std::string_view path, Look look) {
  std::string reading(path);
  for (int round = 0; round <= kMostDecodings; ++round) {
    if (look(std::string_view(reading))) return true;
    std::string next = decode_once(reading);
    if (next == reading) return false;
    reading = std::move(next);
  }
  return true;
}

std::string merge_slashes(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (const char c : path) {
    if (c == '/' && !out.empty() && out.back() == '/') continue;
    out.push_back(c);
  }
  return out;
}

// Each segment without what follows its first ';'. The query stays as it is.
std::string without_parameters(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  bool is_parameter = false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '?') return out.append(path.substr(i));
    if (c == '/') is_parameter = false;
    if (c == ';') is_parameter = true;
    if (!is_parameter) out.push_back(c);
  }
  return out;
}

bool method_matches(const PathRule& rule, std::string_view method) {
  return rule.method.empty() || base::equals_ignoring_case(rule.method, method);
}

}  // namespace

bool is_ambiguous_path(std::string_view path) {
  return any_reading(without_query(path), is_suspect);
}

bool matches(const PathRule& rule, std::string_view method, std::string_view path) {
  return method_matches(rule, method) && path.starts_with(rule.prefix);
}

PathReadings::PathReadings(std::string_view path) : raw_(path) { add(raw_, kMostDecodings); }

void PathReadings::add(const std::string& reading, int decodings_left) {
  if (is_endless_) return;
  std::string merged = merge_slashes(reading);
  if (std::find(readings_.begin(), readings_.end(), merged) == readings_.end()) {
    readings_.push_back(std::move(merged));
  }
  // Some servers cut before they decode, some after.
  if (const std::string cut = without_parameters(reading); cut != reading) {
    add(cut, decodings_left);
  }
  const std::string next = decode_once(reading);
  if (next == reading) return;
  if (decodings_left == 0) {
    is_endless_ = true;
    return;
  }
  add(next, decodings_left - 1);
}

bool PathReadings::match(const PathRule& rule, std::string_view method) const {
  if (!method_matches(rule, method)) return false;
  if (is_endless_ || raw_.starts_with(rule.prefix)) return true;
  std::string prefix;
  // The prefix in its last reading; where its decodings do not end, the raw comparison above was
  // all there is.
  any_reading(rule.prefix, [&](std::string_view reading) {
    prefix = merge_slashes(reading);
    return false;
  });
  return std::any_of(readings_.begin(), readings_.end(),
                     [&](const std::string& reading) { return reading.starts_with(prefix); });
}

}  // namespace leash::policy
