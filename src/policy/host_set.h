// A million host names in little memory: what a plain host list blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leash::policy {

// Names in the canonical form of base::Host, each with the line it was read from. One arena of text
// and one open-addressing table of offsets: some 21 bytes a name beside its text. Built once, then
// immutable and safe to share.
class HostSet {
 public:
  // `file` is what audit lines call it: "lists/ads.txt".
  explicit HostSet(std::string file) : file_(std::move(file)) {}

  // Room for so many names and bytes of text; a hint.
  void reserve(std::size_t names, std::size_t text_bytes);
  // False where the name is there already, is longer than 255 bytes, or the arena is full (4 GiB).
  bool add(std::string_view host, int line);
  // The line of the name, 0 where it is not there.
  [[nodiscard]] int line_of(std::string_view host) const;
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] std::size_t memory_bytes() const;
  [[nodiscard]] const std::string& file() const { return file_; }

 private:
  // The offset of a record + 1, and the upper half of its name's hash: a name that is not there is
  // told from one that is without a look at the text, which is far away. 0 is free.
  using Slot = std::uint64_t;
  // The slot of the name, or the free slot where it would go.
  [[nodiscard]] std::size_t slot_of(std::string_view host, std::size_t hash) const;
  [[nodiscard]] std::string_view name_at(std::uint32_t offset) const;
  void grow(std::size_t slots);

  std::string file_;
  std::string arena_;        // records: line (4 bytes), length (1 byte), text
  std::vector<Slot> slots_;  // the size is a power of two
  std::size_t count_ = 0;
};

}  // namespace leash::policy
