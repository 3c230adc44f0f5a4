// Shows ThreadSanitizer the slow paths of `Synchronization.Mutex`. `scripts/sanitize thread` links it into the tests.
//
// The compiler puts the fast paths into our own modules, where ThreadSanitizer sees the atomic operations. A contended lock
// calls these three functions of the Swift runtime, which is not built with ThreadSanitizer. Without this file
// ThreadSanitizer reports each contended lock as a race on the value that the lock guards.
//
// Swift passes `self` in the register that `swift_context` names: the address of the lock's word. ThreadSanitizer sees the
// same address in the fast paths.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

extern void __tsan_acquire(void *address);
extern void __tsan_release(void *address);

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))
// Mangled names: `_MutexHandle._lockSlow(UInt32)`, `_tryLockSlow() -> Bool` and `_unlockSlow()`.
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

static SWIFT void (*real_lock)(uint32_t thread, SELF void *word);
static SWIFT bool (*real_try_lock)(SELF void *word);
static SWIFT void (*real_unlock)(SELF void *word);

__attribute__((constructor)) static void find_real_functions(void) {
  real_lock = dlsym(RTLD_NEXT, LOCK);
  real_try_lock = dlsym(RTLD_NEXT, TRY_LOCK);
  real_unlock = dlsym(RTLD_NEXT, UNLOCK);
}

SWIFT void lock_slow(uint32_t thread, SELF void *word) __asm__(LOCK);
SWIFT bool try_lock_slow(SELF void *word) __asm__(TRY_LOCK);
SWIFT void unlock_slow(SELF void *word) __asm__(UNLOCK);

SWIFT void lock_slow(uint32_t thread, SELF void *word) {
  real_lock(thread, word);
  __tsan_acquire(word);
}

SWIFT bool try_lock_slow(SELF void *word) {
  bool is_locked = real_try_lock(word);
  if (is_locked) __tsan_acquire(word);
  return is_locked;
}

SWIFT void unlock_slow(SELF void *word) {
  __tsan_release(word);
  real_unlock(word);
}
