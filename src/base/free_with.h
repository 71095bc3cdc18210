// Turns a C library's free function into a deleter that costs no space.
#pragma once

#include <memory>

namespace leash::base {

template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};

}  // namespace leash::base
