// An operator's desk for tests: a directory of its own, an environment, a clock, and what leashctl
// said.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/text.h"
#include "ctl/cli.h"
#include "insight/moment.h"

namespace leash::ctl {

struct Said {
  int code = 0;
  std::string out;
  std::string err;
};

class Desk {
 public:
  Desk() {
    std::string name = (std::filesystem::temp_directory_path() / "leashctl-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    root_ = name;
    std::filesystem::create_directory(root_ / "policy");
    std::filesystem::create_directory(root_ / "ca");
    env = {{"LEASH_DIR", policy("").string()},
           {"LOG_PATH", log()},
           {"LEASH_CA_DIR", ca_dir()},
           {"LEASH_ADMIN", "off"}};
  }
  ~Desk() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  [[nodiscard]] std::filesystem::path policy(const std::string& file) const {
    return file.empty() ? root_ / "policy" : root_ / "policy" / file;
  }
  [[nodiscard]] std::string log() const { return (root_ / "egress.jsonl").string(); }
  [[nodiscard]] std::string ca_dir() const { return (root_ / "ca").string(); }
  [[nodiscard]] std::string path(const std::string& file) const { return (root_ / file).string(); }

  void write(const std::filesystem::path& path, const std::string& text) const {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  }
  void append(const std::filesystem::path& path, const std::string& text) const {
    std::ofstream(path, std::ios::binary | std::ios::app) << text;
  }
  [[nodiscard]] std::string read(const std::filesystem::path& path) const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  Said run(std::vector<std::string> words) const {
    std::ostringstream out;
    std::ostringstream err;
    Context context{out, err, env};
    context.now = [this] { return now; };
    context.wait = wait;
    context.is_coloured = is_coloured;
    const int code = ctl::run(std::move(context), std::move(words));
    return {code, out.str(), err.str()};
  }

  std::map<std::string, std::string> env;
  insight::Moment now = *insight::parse_moment("2026-11-29T12:00:00Z", insight::Moment{});
  std::function<bool()> wait = [] { return false; };
  bool is_coloured = false;

 private:
  std::filesystem::path root_;
};

inline std::string trimmed(const std::string& text) { return std::string(base::trim(text)); }

inline bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace leash::ctl
