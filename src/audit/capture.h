// The bounded copy of a body that goes into the audit log.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leash::audit {

// What all captures together may hold; or those of one client, as a part of that. Thread-safe.
class CaptureBudget {
 public:
  // `whole` outlives this one, and is asked besides.
  explicit CaptureBudget(std::size_t bytes, CaptureBudget* whole = nullptr)
      : left_(static_cast<std::int64_t>(bytes)), whole_(whole) {}
  // All of `bytes` or nothing.
  [[nodiscard]] bool take(std::size_t bytes);
  void give(std::size_t bytes);

 private:
  std::atomic<std::int64_t> left_;
  CaptureBudget* whole_;
};

// Collects the raw bytes of one body up to a limit and gives them back to the budget when
// destroyed.
class Capture {
 public:
  // Kept whatever the budget says, so that nobody can use it up and then act unseen.
  static constexpr std::size_t kFreeBytes = 16 * 1024;
  Capture(CaptureBudget& budget, std::size_t limit_bytes);
  ~Capture();
  Capture(Capture&&) noexcept;
  Capture& operator=(Capture&&) = delete;

  void add(std::string_view bytes);
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t total_bytes() const { return total_; }
  [[nodiscard]] std::size_t held_bytes() const { return bytes_.capacity(); }
  [[nodiscard]] bool is_cut() const { return total_ > bytes_.size(); }

 private:
  bool make_room(std::size_t size);

  CaptureBudget* budget_;
  std::size_t limit_;
  std::string bytes_;
  std::uint64_t total_ = 0;
  std::size_t room_ = 0;   // reserved
  std::size_t taken_ = 0;  // of that, from the budget
};

// What the log shows of a decoded body: nothing for an empty one (but "" for one of which nothing
// could be kept); valid UTF-8 cut to `limit_kb` * 1024 code points; else "[binary, N bytes]".
// `is_cut` says that `bytes` is only a beginning (then an unfinished code point at its end does not
// make it binary).
struct CapturedText {
  std::optional<std::string> text;
  bool is_truncated = false;
};
[[nodiscard]] CapturedText captured_text(std::string_view bytes, bool is_cut, std::size_t limit_kb);
// B.5: text/*, application/json, xml, yaml, x-www-form-urlencoded; never event-stream.
[[nodiscard]] bool is_textual(std::string_view content_type);

}  // namespace leash::audit
