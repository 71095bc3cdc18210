#include "policy/host_set.h"

#include <bit>
#include <cstring>
#include <functional>

namespace leash::policy {
namespace {

constexpr std::size_t kHeadBytes = 5;
constexpr std::size_t kFewestSlots = 16;
constexpr std::uint64_t kTagMask = 0xffff'ffff'0000'0000;

std::size_t hash_of(std::string_view host) { return std::hash<std::string_view>{}(host); }
std::uint64_t tag_of(std::size_t hash) { return hash & kTagMask; }
std::uint32_t offset_of(std::uint64_t slot) { return static_cast<std::uint32_t>(slot) - 1; }

}  // namespace

void HostSet::reserve(std::size_t names, std::size_t text_bytes) {
  arena_.reserve(text_bytes + names * kHeadBytes);
  const std::size_t wanted = std::bit_ceil(names + names / 2);
  if (wanted > slots_.size()) grow(wanted < kFewestSlots ? kFewestSlots : wanted);
}

bool HostSet::add(std::string_view host, int line) {
  if (host.size() > 255 || arena_.size() > UINT32_MAX - 512) return false;
  // At most two slots in three are taken, so that a probe is short and always ends.
  if ((count_ + 1) * 3 > slots_.size() * 2) {
    grow(slots_.empty() ? kFewestSlots : slots_.size() * 2);
  }
  const std::size_t hash = hash_of(host);
  const std::size_t slot = slot_of(host, hash);
  if (slots_[slot] != 0) return false;
  slots_[slot] = tag_of(hash) | (arena_.size() + 1);
  char head[kHeadBytes];
  const auto number = static_cast<std::uint32_t>(line);
  std::memcpy(head, &number, sizeof number);
  head[4] = static_cast<char>(static_cast<unsigned char>(host.size()));
  arena_.append(head, sizeof head).append(host);
  ++count_;
  return true;
}

int HostSet::line_of(std::string_view host) const {
  if (slots_.empty()) return 0;
  const Slot slot = slots_[slot_of(host, hash_of(host))];
  if (slot == 0) return 0;
  std::uint32_t line = 0;
  std::memcpy(&line, arena_.data() + offset_of(slot), sizeof line);
  return static_cast<int>(line);
}

std::size_t HostSet::memory_bytes() const {
  return arena_.capacity() + slots_.capacity() * sizeof(Slot);
}

std::size_t HostSet::slot_of(std::string_view host, std::size_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  const auto is_other = [&](Slot slot) {
    return (slot & kTagMask) != tag_of(hash) || name_at(offset_of(slot)) != host;
  };
  std::size_t slot = hash & mask;
  while (slots_[slot] != 0 && is_other(slots_[slot])) slot = (slot + 1) & mask;
  return slot;
}

std::string_view HostSet::name_at(std::uint32_t offset) const {
  const auto length = static_cast<unsigned char>(arena_[offset + 4]);
  return {arena_.data() + offset + kHeadBytes, length};
}

void HostSet::grow(std::size_t slots) {
  std::vector<Slot> old(slots);
  old.swap(slots_);
  for (const Slot taken : old) {
    if (taken == 0) continue;
    const std::string_view name = name_at(offset_of(taken));
    slots_[slot_of(name, hash_of(name))] = taken;
  }
}

}  // namespace leash::policy
