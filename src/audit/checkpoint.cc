#include "audit/checkpoint.h"

#include "audit/json_text.h"
#include "audit/line_view.h"
#include "audit/log_tail.h"
#include "audit/merkle.h"

namespace leash::audit {
namespace {

constexpr std::string_view kSignatureKey = ", \"sig\": \"";

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

}  // namespace

std::string render_checkpoint(double ts, std::uint64_t first, std::span<const ChainValue> lines,
                              std::string_view key_id, const Sign& sign) {
  std::string out = "{\"ts\": ";
  append_double(out, ts);
  append_key(out, "event");
  append_string(out, "checkpoint");
  append_key(out, "first");
  append_number(out, first);
  append_key(out, "last");
  append_number(out, first + lines.size() - 1);
  append_key(out, "root");
  append_string(out, tls::hex(merkle_root(lines)));
  append_key(out, "key");
  append_string(out, key_id);
  const std::string signature = sign(std::string(kSignedPrefix) + out);
  append_key(out, "sig");
  append_string(out, tls::base64(signature));
  return out;
}

std::optional<Checkpoint> parse_checkpoint(std::string_view line) {
  if (!is_checkpoint(line)) return std::nullopt;
  // Quotes inside of strings are escaped, so this is the field and not the content of one.
  const std::size_t covered = line.find(kSignatureKey);
  const auto chained = split_line(line);
  if (covered == std::string_view::npos || !chained) return std::nullopt;
  // Nothing but the signature stands between what is signed and the number: one text has one
  // reading.
  const std::string number = "\", \"seq\": " + std::to_string(chained->seq);
  std::string_view signature_text = chained->covered.substr(covered + kSignatureKey.size());
  if (!signature_text.ends_with(number)) return std::nullopt;
  signature_text.remove_suffix(number.size());
  // Only fields that the signature covers count.
  const std::string signed_object = std::string(line.substr(0, covered)) + "}";
  const auto view = LineView::parse(signed_object);
  if (!view) return std::nullopt;
  const auto first = view->integer("first");
  const auto last = view->integer("last");
  const auto root = parse_chain_value(view->text("root").value_or(""));
  const auto key = view->text("key");
  const auto signature = base64_decode(signature_text);
  if (!first || !last || *first == 0 || *last < *first || !root || !key || !signature) {
    return std::nullopt;
  }
  Checkpoint out;
  out.first = *first;
  out.last = *last;
  out.root = *root;
  out.key = *key;
  out.signature = *signature;
  out.signed_bytes = std::string(kSignedPrefix).append(line.substr(0, covered));
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool is_last = i + 4 == text.size();
    std::size_t padding = 0;
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const char c = text[i + k];
      if (c == '=' && is_last && k >= 2) {
        ++padding;
        bits <<= 6;
        continue;
      }
      const int value = base64_value(c);
      if (value < 0 || padding > 0) return std::nullopt;
      bits = bits << 6 | static_cast<std::uint32_t>(value);
    }
    // The bits that padding leaves over are zero, so that each text has one spelling.
    if ((padding == 1 && (bits & 0xff) != 0) || (padding == 2 && (bits & 0xffff) != 0)) {
      return std::nullopt;
    }
    out.push_back(static_cast<char>(bits >> 16 & 0xff));
    if (padding < 2) out.push_back(static_cast<char>(bits >> 8 & 0xff));
    if (padding < 1) out.push_back(static_cast<char>(bits & 0xff));
  }
  return out;
}

}  // namespace leash::audit
