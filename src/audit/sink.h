// Another place for audit lines beside the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace leash::audit {

// Whole lines with their ends, as they stand in the file, numbered without a gap.
struct LineBatch {
  std::uint64_t first = 0;  // seq
  std::uint64_t last = 0;
  std::string text;
};
using SharedBatch = std::shared_ptr<const LineBatch>;

// Gets lines once they are in the file. A sink that is slow or dead leaves lines out and says which
// (see Backlog); it delays nobody.
class Sink {
 public:
  Sink() = default;
  virtual ~Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  // On the writer's thread; never blocks. `wants` tells beforehand whether it is worth a copy.
  [[nodiscard]] virtual bool wants() const = 0;
  virtual void offer(SharedBatch batch) = 0;

  // No more will be offered, by this process: readers are let go. Any thread.
  virtual void retire() {}

  // Any thread.
  struct Counts {
    std::uint64_t lines = 0;  // handed on
    std::uint64_t lost = 0;   // left out
    std::uint64_t peers = 0;  // connected now
  };
  [[nodiscard]] virtual Counts counts() const = 0;
  [[nodiscard]] virtual std::string_view name() const = 0;
};

}  // namespace leash::audit
