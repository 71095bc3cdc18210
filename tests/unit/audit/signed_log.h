// Signed logs of a test's own making, in memory.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "audit/checkpoint.h"
#include "audit/log_reader.h"
#include "audit/verifier.h"

namespace leash::audit {

// Builds a log line by line, with a checkpoint behind each `interval` lines.
class SignedLog {
 public:
  SignedLog(std::size_t interval, Sign sign, std::string key_id)
      : interval_(interval), sign_(std::move(sign)), key_id_(std::move(key_id)) {}

  // `line` as render() leaves it.
  void add(std::string line) {
    leaves_.push_back(finish(std::move(line)));
    if (leaves_.size() < interval_) return;
    finish(render_checkpoint(static_cast<double>(seq_), seq_ + 1 - leaves_.size(), leaves_, key_id_,
                             sign_));
    leaves_.clear();
  }
  void add_requests(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      add("{\"ts\": 1.0, \"event\": \"request\", \"id\": \"r" + std::to_string(i / 2) + "\"");
    }
  }

  // Without their ends of line.
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

 private:
  ChainValue finish(std::string line) {
    chain_ = finish_line(line, 0, ++seq_, chain_);
    line.pop_back();
    lines_.push_back(std::move(line));
    return chain_;
  }

  std::size_t interval_;
  Sign sign_;
  std::string key_id_;
  std::vector<std::string> lines_;
  ChainValue chain_{};
  std::uint64_t seq_ = 0;
  std::vector<ChainValue> leaves_;
};

inline std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out.append(line).push_back('\n');
  return out;
}

// A file's bytes without a file.
class TextSource : public ByteSource {
 public:
  explicit TextSource(std::string_view text) : text_(text) {}
  base::Result<std::size_t> read(char* to, std::size_t size) override {
    const std::size_t count = text_.copy(to, size);
    text_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view text_;
};

inline VerifyReport verify_text(std::string_view text, VerifyOptions options) {
  LogReader reader(std::make_unique<TextSource>(text));
  Verifier verifier(std::move(options));
  verifier.begin_file("log");
  for (;;) {
    const auto line = reader.next();
    if (!line || !*line || !verifier.add(**line)) return verifier.finish();
  }
}

}  // namespace leash::audit
