// SPDX-License-Identifier: Apache-2.0
// A vector of trivially copyable elements whose first kInline stand in the object itself: the usual
// object has one version and one vector entry and must not allocate.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>

#include "base/check.h"

namespace kvorum {

template <class T, size_t kInline>
class InlineVector {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  InlineVector() = default;
  InlineVector(const InlineVector& other) { assign(other); }
  InlineVector(InlineVector&& other) noexcept { steal(other); }
  InlineVector& operator=(const InlineVector& other) {
    if (this != &other) {
      size_ = 0;
      assign(other);
    }
    return *this;
  }
  InlineVector& operator=(InlineVector&& other) noexcept {
    if (this != &other) {
      release();
      steal(other);
    }
    return *this;
  }
  ~InlineVector() { release(); }

  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t index) { return data()[index]; }
  const T& operator[](size_t index) const { return data()[index]; }
  T& back() { return data()[size_ - 1]; }
  const T& back() const { return data()[size_ - 1]; }

  void clear() { size_ = 0; }
  void push_back(const T& value) {
    const T copy = value;  // it may stand in this vector
    if (size_ == capacity_) grow(size_ + 1);
    std::memcpy(static_cast<void*>(data() + size_), &copy, sizeof(T));
    ++size_;
  }
  // A new last element, which the caller fills in where it stands.
  T& extend() {
    if (size_ == capacity_) grow(size_ + 1);
    return *new (static_cast<void*>(data() + size_++)) T;
  }
  void pop_back() { --size_; }
  // Removes one element and keeps the order of the others.
  void erase_at(size_t index) {
    std::memmove(static_cast<void*>(data() + index), data() + index + 1,
                 (size_ - index - 1) * sizeof(T));
    --size_;
  }

 private:
  T* data() { return heap_ ? heap_ : reinterpret_cast<T*>(inline_); }
  const T* data() const { return heap_ ? heap_ : reinterpret_cast<const T*>(inline_); }

  void grow(size_t least) {
    size_t capacity = capacity_ * 2;
    if (capacity < least) capacity = least;
    T* memory = static_cast<T*>(std::malloc(capacity * sizeof(T)));
    KVORUM_CHECK(memory != nullptr);
    std::memcpy(static_cast<void*>(memory), data(), size_ * sizeof(T));
    std::free(heap_);
    heap_ = memory;
    capacity_ = static_cast<uint32_t>(capacity);
  }
  void assign(const InlineVector& other) {
    if (other.size_ == 0) return;  // most are, and a copy of no bytes is a call too
    if (other.size_ > capacity_) grow(other.size_);
    std::memcpy(static_cast<void*>(data()), other.data(), other.size_ * sizeof(T));
    size_ = other.size_;
  }
  void steal(InlineVector& other) {
    heap_ = other.heap_;
    size_ = other.size_;
    capacity_ = other.capacity_;
    if (!heap_ && size_ != 0) std::memcpy(inline_, other.inline_, size_ * sizeof(T));
    other.heap_ = nullptr;
    other.size_ = 0;
    other.capacity_ = kInline;
  }
  void release() {
    size_ = 0;
    if (heap_ == nullptr) return;
    std::free(heap_);
    heap_ = nullptr;
    capacity_ = kInline;
  }

  T* heap_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = kInline;
  alignas(T) unsigned char inline_[sizeof(T) * kInline];
};

}  // namespace kvorum
