// A log file, packed or not, through the reader and the verifier; in one piece or in many, the
// lines are the same. Of a file that is broken somewhere, how much of it is read before the error
// may depend on the pieces, but not what.
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

struct Reading {
  std::vector<std::string> lines;
  bool is_broken = false;
};

Reading read(std::string_view bytes, std::size_t step) {
  audit::LogReader reader(audit::unpack(std::make_unique<TextSource>(bytes, step)), 64 * 1024);
  audit::VerifyOptions options;
  options.check_signature = [](auto...) { return std::optional<bool>(true); };
  audit::Verifier verifier(options);
  verifier.begin_file("log");
  Reading out;
  // A small packed file may hold a very long log.
  while (out.lines.size() < 100'000) {
    const auto line = reader.next();
    out.is_broken = !line;
    if (!line || !*line) break;
    (void)verifier.add(**line);
    out.lines.emplace_back((*line)->text);
  }
  (void)verifier.finish();
  return out;
}

bool is_beginning_of(const std::vector<std::string>& some, const std::vector<std::string>& all) {
  return some.size() <= all.size() && std::equal(some.begin(), some.end(), all.begin());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Reading whole = read(text, 1 << 20);
  const Reading pieces = read(text, 7);
  if (whole.is_broken != pieces.is_broken) std::abort();
  if (!whole.is_broken && whole.lines != pieces.lines) std::abort();
  if (!is_beginning_of(whole.lines, pieces.lines) && !is_beginning_of(pieces.lines, whole.lines)) {
    std::abort();
  }
  return 0;
}
