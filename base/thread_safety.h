// SPDX-License-Identifier: Apache-2.0
// Which lock guards what, in words that clang checks (-Wthread-safety, `./x check`) and other
// compilers skip. A lock is a capability: members that it guards say KVORUM_GUARDED_BY(lock_),
// functions that the holder alone may call KVORUM_REQUIRES(lock_).
#pragma once

#if defined(__clang__)
#define KVORUM_THREAD_ATTRIBUTE(attribute) __attribute__((attribute))
#else
#define KVORUM_THREAD_ATTRIBUTE(attribute)
#endif

// Classes: a lock, and an object that holds one as long as it lives.
#define KVORUM_CAPABILITY(name) KVORUM_THREAD_ATTRIBUTE(capability(name))
#define KVORUM_SCOPED_CAPABILITY KVORUM_THREAD_ATTRIBUTE(scoped_lockable)

// Members: themselves, or what they point at.
#define KVORUM_GUARDED_BY(lock) KVORUM_THREAD_ATTRIBUTE(guarded_by(lock))
#define KVORUM_POINTEE_GUARDED_BY(lock) KVORUM_THREAD_ATTRIBUTE(pt_guarded_by(lock))

// Functions: called with the lock held (alone, or shared), or not held.
#define KVORUM_REQUIRES(...) KVORUM_THREAD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define KVORUM_REQUIRES_SHARED(...) KVORUM_THREAD_ATTRIBUTE(requires_shared_capability(__VA_ARGS__))
#define KVORUM_EXCLUDES(...) KVORUM_THREAD_ATTRIBUTE(locks_excluded(__VA_ARGS__))

// Functions that take a lock or give it back.
#define KVORUM_ACQUIRE(...) KVORUM_THREAD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define KVORUM_ACQUIRE_SHARED(...) KVORUM_THREAD_ATTRIBUTE(acquire_shared_capability(__VA_ARGS__))
#define KVORUM_TRY_ACQUIRE(...) KVORUM_THREAD_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define KVORUM_RELEASE(...) KVORUM_THREAD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define KVORUM_RELEASE_SHARED(...) KVORUM_THREAD_ATTRIBUTE(release_shared_capability(__VA_ARGS__))
#define KVORUM_RETURN_CAPABILITY(lock) KVORUM_THREAD_ATTRIBUTE(lock_returned(lock))

// What clang cannot follow, or what needs no lock although it looks so: with a comment why.
#define KVORUM_NO_THREAD_SAFETY_ANALYSIS KVORUM_THREAD_ATTRIBUTE(no_thread_safety_analysis)
