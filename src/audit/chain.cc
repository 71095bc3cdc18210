#include "audit/chain.h"

#include <array>

#include "audit/json_text.h"
#include "base/text.h"

namespace leash::audit {
namespace {

constexpr std::string_view kChainKey = ", \"chain\": \"";
constexpr std::string_view kSeqKey = ", \"seq\": ";
constexpr std::string_view kEnd = "\"}";

// The value of each hex digit, lower case; 0xff for what is none. A table, since each line has 64
// of them and a verifier reads them all.
constexpr std::array<std::uint8_t, 256> kHexValues = [] {
  std::array<std::uint8_t, 256> out{};
  out.fill(0xff);
  for (std::uint8_t i = 0; i < 10; ++i) out[static_cast<std::size_t>('0') + i] = i;
  for (std::uint8_t i = 0; i < 6; ++i) out[static_cast<std::size_t>('a') + i] = 10 + i;
  return out;
}();

std::uint8_t hex_value(char c) { return kHexValues[static_cast<unsigned char>(c)]; }

}  // namespace

std::optional<ChainValue> parse_chain_value(std::string_view hex) {
  ChainValue out;
  if (hex.size() != out.size() * 2) return std::nullopt;
  std::uint8_t seen = 0;  // all bits of all values: one test at the end
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint8_t high = hex_value(hex[2 * i]);
    const std::uint8_t low = hex_value(hex[2 * i + 1]);
    seen = static_cast<std::uint8_t>(seen | high | low);
    out[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  if ((seen & 0xf0) != 0) return std::nullopt;
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
