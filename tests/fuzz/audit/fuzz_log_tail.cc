// The repair of a log at start: whatever the file holds, what counts as whole ends at a line, and a
// log of ours loses nothing but its torn last line.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "audit/chain.h"
#include "audit/log_tail.h"

namespace {

using namespace leash::audit;

void check(bool is_true) {
  if (!is_true) std::abort();
}

LogTail tail_of(const std::string& file) {
  const auto tail = read_tail(
      [&](char* to, std::size_t size, std::uint64_t offset) -> std::int64_t {
        const std::size_t count = std::min<std::size_t>(size, file.size() - offset);
        file.copy(to, count, offset);
        return static_cast<std::int64_t>(count);
      },
      file.size());
  check(tail.has_value());
  check(tail->end + tail->torn_bytes == file.size());
  check(tail->end == 0 || file[tail->end - 1] == '\n');
  check(tail->torn_start.size() <= std::min<std::uint64_t>(kTornShown, tail->torn_bytes));
  return *tail;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)tail_of(text);
  // Behind a line of ours: it stays, whatever follows, and what is cut is at most one line.
  std::string file = "{\"ts\": 1.0";
  const ChainValue chain = finish_line(file, 0, 3, {});
  const std::size_t whole = file.size();
  file += text;
  const LogTail tail = tail_of(file);
  check(tail.end >= whole);
  if (text.find('\n') == std::string::npos) check(tail.seq == 3 && tail.chain == chain);
  const std::string_view torn = std::string_view(file).substr(tail.end);
  check(torn.empty() || std::count(torn.begin(), torn.end() - 1, '\n') == 0);
  return 0;
}
