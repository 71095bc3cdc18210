// A log file, packed or not, through the reader and the verifier; in one piece or in many, the
// lines are the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "audit/log_reader.h"
#include "audit/verifier.h"

namespace {

using namespace leash;

class TextSource : public audit::ByteSource {
 public:
  TextSource(std::string_view text, std::size_t step) : text_(text), step_(step) {}
  base::Result<std::size_t> read(char* to, std::size_t size) override {
    const std::size_t count = std::min({size, step_, text_.size() - at_});
    text_.copy(to, count, at_);
    at_ += count;
    return count;
  }

 private:
  std::string_view text_;
  std::size_t step_;
  std::size_t at_ = 0;
};

std::vector<std::string> lines_of(std::string_view bytes, std::size_t step) {
  audit::LogReader reader(audit::unpack(std::make_unique<TextSource>(bytes, step)), 64 * 1024);
  audit::VerifyOptions options;
  options.check_signature = [](auto...) { return std::optional<bool>(true); };
  audit::Verifier verifier(options);
  verifier.begin_file("log");
  std::vector<std::string> out;
  // A small packed file may hold a very long log.
  while (out.size() < 100'000) {
    const auto line = reader.next();
    if (!line || !*line) break;
    (void)verifier.add(**line);
    out.emplace_back((*line)->text);
  }
  (void)verifier.finish();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (lines_of(text, 1 << 20) != lines_of(text, 7)) std::abort();
  return 0;
}
