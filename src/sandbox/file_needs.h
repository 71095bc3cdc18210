// Which files a program of ours needs, as grants for restrict_files: never the CA's folder
// unnoticed.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sandbox/landlock.h"
#include "sandbox/system_calls.h"

namespace leash::sandbox {

struct FileNeeds {
  std::vector<Grant> grants;
  std::vector<std::string> gaps;  // for the operator: what is not as it should be
};

class NeedsBuilder {
 public:
  explicit NeedsBuilder(const std::string& ca_dir);

  // What is needed in any case; where the CA's folder is in there, that is a gap.
  void grant(const std::filesystem::path& path, FileRights rights);
  // What the program can do without where the CA is in there.
  void grant_unless_ca(const std::filesystem::path& path, FileRights rights);
  // Also where the CA is below: what is removed can be put back, what is read cannot.
  void grant_removal(const std::filesystem::path& folder);
  // Where the links in `folder` lead: policy files may be elsewhere, and count as well.
  void grant_links(const std::filesystem::path& folder, FileRights rights);
  // Libraries, certificates, and what the resolver and the C library read.
  void grant_system();
  FileNeeds take() { return std::move(needs_); }

 private:
  void grant_variable(const char* name);
  const std::filesystem::path ca_dir_;
  FileNeeds needs_;
};

// What a path leads to; the path itself where it leads nowhere.
[[nodiscard]] std::filesystem::path real_path(const std::filesystem::path& path);
[[nodiscard]] std::filesystem::path folder_of(const std::string& file);

// What is in force of both, and what is not.
struct Confinement {
  int landlock = 0;  // the version in force; 0: none
  bool has_seccomp = false;
  std::vector<std::string> gaps;  // for the operator: what is not as it should be

  [[nodiscard]] std::string text() const;  // "landlock 7, seccomp"; "none"
};

// For this thread and all that it makes from now on, so before there are others. Does what the
// kernel can, says in `gaps` (and in the log) what it cannot, and never fails. `wanted`: folders
// without which the program is of little use, so that one that does not exist is a gap.
[[nodiscard]] Confinement confine(FileNeeds needs, const std::vector<std::string>& wanted,
                                  Reach reach, PathSockets path_sockets);

}  // namespace leash::sandbox
