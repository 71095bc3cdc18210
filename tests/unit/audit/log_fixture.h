// A folder for one test, and what a log in it looks like.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "audit/chain.h"
#include "audit/log_writer.h"

namespace leash::audit {

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "leash-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_file(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

inline std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> out;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    out.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return out;
}

// Whether `lines` follow each other from `seq` and `chain` on.
inline bool is_chained(const std::vector<std::string>& lines, std::uint64_t seq = 0,
                       ChainValue chain = {}) {
  for (const std::string& line : lines) {
    const auto split = split_line(line);
    if (!split || split->seq != ++seq || split->chain != next_chain(chain, split->covered)) {
      return false;
    }
    chain = split->chain;
  }
  return true;
}

inline Record note(const std::string& id, Event event = Event::kRequest) {
  Record record;
  record.event = event;
  record.id = id;
  return record;
}

// Appends and waits for the answer.
inline base::Result<void> put(LogWriter& writer, const std::string& id) {
  std::promise<base::Result<void>> answer;
  writer.append(note(id), [&](base::Result<void> result) { answer.set_value(std::move(result)); });
  return answer.get_future().get();
}

// Waits for a condition that another thread brings about; a minute, then the test has failed.
template <class Condition>
bool becomes_true(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    // Asleep, so that a thread of low priority gets its turn.
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace leash::audit
