// A directory of one test, gone with it.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace leash::tls {

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "leash-tls-XXXXXX").string();
    path_ = ::mkdtemp(name.data()) != nullptr ? name : std::string("/nonexistent");
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] std::string text(const std::string& name) const {
    std::ifstream in(file(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void put(const std::string& name, const std::string& text, int mode = 0600) const {
    std::ofstream(file(name), std::ios::binary) << text;
    std::filesystem::permissions(file(name), static_cast<std::filesystem::perms>(mode));
  }
  [[nodiscard]] int mode(const std::string& name) const {
    return static_cast<int>(std::filesystem::status(file(name)).permissions());
  }

 private:
  std::string path_;
};

}  // namespace leash::tls
