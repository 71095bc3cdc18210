#include "tls/memory_bio.h"

#include <algorithm>
#include <cstring>

namespace leash::tls {
namespace {

using MethodPtr = std::unique_ptr<BIO_METHOD, FreeWith<BIO_meth_free>>;

MemoryPipe& pipe_of(BIO* bio) { return *static_cast<MemoryPipe*>(BIO_get_data(bio)); }

int read_some(BIO* bio, char* to, int room) noexcept {
  BIO_clear_retry_flags(bio);
  if (room <= 0) return 0;
  std::string_view& in = pipe_of(bio).in;
  if (in.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t count = std::min(in.size(), static_cast<std::size_t>(room));
  std::memcpy(to, in.data(), count);
  in.remove_prefix(count);
  return static_cast<int>(count);
}

int write_all(BIO* bio, const char* from, int count) noexcept {
  BIO_clear_retry_flags(bio);
  if (count <= 0) return 0;
  pipe_of(bio).out.append(from, static_cast<std::size_t>(count));
  return count;
}

long control(BIO*, int command, long, void*) noexcept {
  return command == BIO_CTRL_FLUSH ? 1 : 0;  // libssl fails where a flush fails
}

MethodPtr make_method() {
  MethodPtr method(BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "leash pipe"));
  if (method == nullptr || BIO_meth_set_read(method.get(), read_some) != 1 ||
      BIO_meth_set_write(method.get(), write_all) != 1 ||
      BIO_meth_set_ctrl(method.get(), control) != 1) {
    return nullptr;
  }
  return method;
}

}  // namespace

BioPtr make_memory_bio(MemoryPipe& pipe) {
  static const MethodPtr method = make_method();
  BioPtr bio(method != nullptr ? BIO_new(method.get()) : nullptr);
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio.get(), &pipe);
  BIO_set_init(bio.get(), 1);
  return bio;
}

}  // namespace leash::tls
