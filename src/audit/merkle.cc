#include "audit/merkle.h"

#include <algorithm>
#include <array>
#include <bit>

namespace leash::audit {
namespace {

// Leaves and nodes hash with different first bytes, so that neither can pass for the other.
tls::Digest leaf_hash(const ChainValue& leaf) {
  constexpr std::string_view kLeaf("\0", 1);
  return tls::sha256(kLeaf, raw(leaf));
}

tls::Digest node_hash(const tls::Digest& left, const tls::Digest& right) {
  std::array<char, 1 + 2 * sizeof(tls::Digest)> text;
  text[0] = 1;
  std::copy(left.begin(), left.end(), text.begin() + 1);
  std::copy(right.begin(), right.end(),
            text.begin() + 1 + static_cast<std::ptrdiff_t>(left.size()));
  return tls::sha256({text.data(), text.size()});
}

// The largest power of two below `size`; size is at least 2.
std::size_t split_of(std::size_t size) { return std::bit_floor(size - 1); }

}  // namespace

tls::Digest merkle_root(std::span<const ChainValue> leaves) {
  if (leaves.empty()) return tls::sha256({});
  if (leaves.size() == 1) return leaf_hash(leaves[0]);
  const std::size_t split = split_of(leaves.size());
  return node_hash(merkle_root(leaves.first(split)), merkle_root(leaves.subspan(split)));
}

std::vector<tls::Digest> merkle_path(std::span<const ChainValue> leaves, std::size_t index) {
  if (leaves.size() <= 1) return {};
  const std::size_t split = split_of(leaves.size());
  const bool is_left = index < split;
  const auto left = leaves.first(split);
  const auto right = leaves.subspan(split);
  auto path = is_left ? merkle_path(left, index) : merkle_path(right, index - split);
  path.push_back(merkle_root(is_left ? right : left));
  return path;
}

std::optional<tls::Digest> merkle_root_from(const ChainValue& leaf, std::uint64_t index,
                                            std::uint64_t size, std::span<const tls::Digest> path) {
  if (index >= size) return std::nullopt;
  std::uint64_t node = index;
  std::uint64_t last = size - 1;
  tls::Digest root = leaf_hash(leaf);
  for (const tls::Digest& sibling : path) {
    if (last == 0) return std::nullopt;
    if ((node & 1) != 0 || node == last) {
      root = node_hash(sibling, root);
      while ((node & 1) == 0 && node != 0) {
        node >>= 1;
        last >>= 1;
      }
    } else {
      root = node_hash(root, sibling);
    }
    node >>= 1;
    last >>= 1;
  }
  if (last != 0) return std::nullopt;
  return root;
}

}  // namespace leash::audit
