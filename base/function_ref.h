// SPDX-License-Identifier: Apache-2.0
// A borrowed callable: two words, no allocation. Lives no longer than the call it is passed to.
#pragma once

#include <type_traits>
#include <utility>

namespace kvorum {

template <class Signature>
class FunctionRef;

template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>)
      FunctionRef(F&& function)  // NOLINT: implicit by design
      : target_(const_cast<void*>(static_cast<const void*>(&function))),
        call_([](void* target, Args... args) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(target))(std::forward<Args>(args)...);
        }) {}

  R operator()(Args... args) const { return call_(target_, std::forward<Args>(args)...); }

 private:
  void* target_;
  R (*call_)(void*, Args...);
};

}  // namespace kvorum
