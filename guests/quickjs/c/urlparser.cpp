// The URL parser, the only C++ of the guest, with what it needs of a C++
// library at run time. Linking libc++ instead would drag in streams and file
// descriptors, and take half of the build's time.
#include "ada.cpp"

#include <cstdlib>
#include <new>
#include <string>

// A string's members are declared as compiled elsewhere: compile them here.
template class std::basic_string<char>;

_LIBCPP_BEGIN_NAMESPACE_STD

const nothrow_t nothrow{};

string to_string(unsigned int value) {
  char digits[10];
  size_t at = sizeof digits;
  do {
    digits[--at] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value);
  return string(digits + at, sizeof digits - at);
}

// A length error, or an access out of range.
[[noreturn]] void __libcpp_verbose_abort(const char*, ...) noexcept { __builtin_trap(); }

_LIBCPP_END_NAMESPACE_STD

extern "C" [[noreturn]] void memory_dead();

// C++ without exceptions has no way to say that memory is out: a block that
// can't be had ends the guest.
static void* allocate(std::size_t n) {
  void* p = std::malloc(n ? n : 1);
  if (!p) memory_dead();
  return p;
}

void* operator new(std::size_t n) { return allocate(n); }
void* operator new[](std::size_t n) { return allocate(n); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return std::malloc(n ? n : 1); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return std::malloc(n ? n : 1); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
