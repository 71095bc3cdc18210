#include "audit/chain.h"

#include "audit/json_text.h"
#include "base/text.h"

namespace leash::audit {
namespace {

constexpr std::string_view kChainKey = ", \"chain\": \"";
constexpr std::string_view kSeqKey = ", \"seq\": ";
constexpr std::string_view kEnd = "\"}";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::optional<ChainValue> parse_chain_value(std::string_view hex) {
  ChainValue out;
  if (hex.size() != out.size() * 2) return std::nullopt;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = hex_value(hex[2 * i]);
    const int low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return out;
}

std::optional<ChainedLine> split_line(std::string_view line) {
  constexpr std::size_t kHex = 64;
  constexpr std::size_t kTail = kChainKey.size() + kHex + kEnd.size();
  if (line.size() < kTail || line.front() != '{' || !line.ends_with(kEnd)) return std::nullopt;
  ChainedLine out;
  out.covered = line.substr(0, line.size() - kTail);
  if (line.substr(out.covered.size(), kChainKey.size()) != kChainKey) return std::nullopt;
  const auto chain = parse_chain_value(line.substr(out.covered.size() + kChainKey.size(), kHex));
  if (!chain) return std::nullopt;
  out.chain = *chain;

  std::size_t digits = out.covered.size();
  while (digits > 0 && out.covered[digits - 1] >= '0' && out.covered[digits - 1] <= '9') --digits;
  if (!out.covered.substr(0, digits).ends_with(kSeqKey)) return std::nullopt;
  const std::string_view number = out.covered.substr(digits);
  // One spelling for each number, and never the top of the range, so that seq + 1 is safe.
  const auto seq = base::parse_decimal(number, UINT64_MAX - 1);
  if (!seq || (number.size() > 1 && number[0] == '0')) return std::nullopt;
  out.seq = *seq;
  return out;
}

ChainValue next_chain(const ChainValue& previous, std::string_view covered) {
  return tls::sha256(raw(previous), covered);
}

ChainValue finish_line(std::string& out, std::size_t start, std::uint64_t seq,
                       const ChainValue& previous) {
  out.append(kSeqKey);
  append_number(out, seq);
  const ChainValue chain = next_chain(previous, std::string_view(out).substr(start));
  out.append(kChainKey);
  base::append_hex(out, raw(chain));
  out.append(kEnd);
  out.push_back('\n');
  return chain;
}

}  // namespace leash::audit
